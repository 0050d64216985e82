package testpeers

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What scanners must find without knowing anything: the test virus of EICAR, and the test spam GTUBE.
const (
	Eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`
	GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
)

// ClamdLimit is the largest message that StartClamd's clamd takes, in octets.
const ClamdLimit = 1 << 20

// StartClamd starts a clamd of ClamAV that knows one virus, Eicar, waits until it listens, and stops it at the end of the
// test. It returns the path of its socket.
func StartClamd(t testing.TB) string {
	t.Helper()
	Need(t, "clamd")
	dir := scannerFolder(t, "clamd")
	socket := filepath.Join(dir, "socket")
	// The extended signature format: name, any kind of file, at its beginning, in hexadecimal.
	writeScanner(t, dir, "test.ndb", fmt.Sprintf("Eicar-Test:0:0:%x\n", Eicar))
	writeScanner(t, dir, "conf", fmt.Sprintf("Foreground yes\nLocalSocket %s\nDatabaseDirectory %s\nStreamMaxLength %d\nLogFile %s/log\n",
		socket, dir, ClamdLimit, dir))
	runScanner(t, filepath.Join(dir, "log"), exec.Command("clamd", "-c", filepath.Join(dir, "conf")), func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return socket
}

const rspamdConf = `
options {
  pidfile = "%[1]s/pid";
  filters = "";
  url_tld = "%[1]s/tld";
  temp_dir = "%[1]s";
  hs_cache_dir = "%[1]s";
  enable_test_patterns = true;
  dns { nameserver = ["127.0.0.1:1:1"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "file"; filename = "%[1]s/log"; level = "notice"; }
actions { reject = 15; add_header = 6; greylist = 4; }
worker "normal" { bind_socket = "%[2]s"; count = 1; }
`

// StartRspamd starts an rspamd without rules, which knows only GTUBE and its kin, waits until it answers, and stops it at
// the end of the test. It returns its address, as http://host:port.
func StartRspamd(t testing.TB) string {
	t.Helper()
	Need(t, "rspamd")
	dir := scannerFolder(t, "rspamd")
	address := freePort(t)
	writeScanner(t, dir, "tld", "com\norg\n")
	writeScanner(t, dir, "conf", fmt.Sprintf(rspamdConf, dir, address))
	args := []string{"--no-fork", "--config=" + filepath.Join(dir, "conf")}
	if os.Getuid() == 0 {
		args = append(args, "--insecure")
	}
	runScanner(t, filepath.Join(dir, "log"), exec.Command("rspamd", args...), func() bool {
		resp, err := http.Post("http://"+address+"/checkv2", "message/rfc822", strings.NewReader("Subject: x\r\n\r\n"))
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return "http://" + address
}

// scannerFolder is not t.TempDir: sockets want short names.
func scannerFolder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func writeScanner(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runScanner starts a program, waits until it is ready, and stops it at the end of the test.
func runScanner(t testing.TB, log string, cmd *exec.Cmd, ready func() bool) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s said:\n%s%s", cmd.Path, &out, text)
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1200 {
		if ready() {
			return
		}
		<-tick.C
	}
	t.Fatalf("%s does not answer", cmd.Path)
}
