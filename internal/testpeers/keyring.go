package testpeers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sessionBusConf = `<busconfig>
<type>session</type>
<listen>unix:path=%s</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// StartKeyring starts a session bus of its own with a gnome-keyring on it, which is unlocked if a password is given, makes
// them the keyring of this process (by its environment, so the test cannot be parallel), and stops them at the end of the
// test. It returns the keyring's process. Without the programs the test is skipped as Need does.
func StartKeyring(t testing.TB, password string) *os.Process {
	t.Helper()
	Need(t, "dbus-daemon", "dbus-send", "gnome-keyring-daemon")
	// Not t.TempDir: sockets want short names.
	dir, err := os.MkdirTemp("/tmp", "keyring")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))

	conf := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, sessionBusConf, filepath.Join(dir, "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(stdin, name string, args ...string) *os.Process {
		cmd, log := exec.Command(name, args...), &logBuffer{}
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = strings.NewReader(stdin), log, log, 5*time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			err := cmd.Wait()
			if t.Failed() {
				t.Logf("%s ended with %v and said:\n%s", name, err, log)
			}
		})
		return cmd.Process
	}
	await := func(what string, ready func() bool) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 6000 { // a minute
			if ready() {
				return
			}
			<-tick.C
		}
		t.Fatalf("%s does not start", what)
	}
	run("", "dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", "--config-file="+conf)
	await("dbus-daemon", func() bool {
		return exec.Command("dbus-send", "--session", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames").Run() == nil
	})
	args := []string{"--foreground", "--components=secrets"}
	if password != "" {
		args = append(args, "--unlock")
	}
	daemon := run(password, "gnome-keyring-daemon", args...)
	await("gnome-keyring-daemon", func() bool {
		out, err := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/",
			"org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets").Output()
		return err == nil && strings.Contains(string(out), "boolean true")
	})
	return daemon
}
