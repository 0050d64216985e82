package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/config"
)

// The sample is good as it stands, and so is what one gets by removing the # of its suggestions.
func TestSampleConfiguration(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("postamt.toml")
	if err != nil {
		t.Fatal(err)
	}
	suggestions := regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(string(sample), "$1")
	if suggestions == string(sample) {
		t.Fatal("no suggestions found")
	}
	for name, text := range map[string]string{"sample": string(sample), "with suggestions": suggestions} {
		l, err := config.Parse(name, []byte(text))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(l.Warnings) > 0 {
			t.Errorf("%s: %v", name, l.Warnings)
		}
		if n := len(l.POP3.Listen) + len(l.POP3.ListenTLS) + len(l.LMTP.Listen); n > 0 {
			t.Errorf("%s: %d addresses besides those of the socket units", name, n)
		}
	}
	l, err := config.Parse("sample", sample)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Data = "/var/lib/postamt"
	want.POP3.Listen, want.POP3.ListenTLS, want.LMTP.Listen = nil, nil, nil
	if diff := cmp.Diff(want, l.Config); diff != "" {
		t.Errorf("the sample changes more than it says (-want +got)\n%s", diff)
	}
}

// Names and ports that the program and the documentation rely on.
func TestSockets(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"postamt-pop3.socket":  {"ListenStream=110", "FileDescriptorName=pop3", "Service=postamt.service"},
		"postamt-pop3s.socket": {"ListenStream=995", "FileDescriptorName=pop3s", "Service=postamt.service"},
		"postamt-lmtp.socket":  {"ListenStream=/run/postamt/lmtp.sock", "FileDescriptorName=lmtp", "Service=postamt.service", "SocketMode=0660"},
		"postamt.service":      {"ExecStart=/usr/bin/postamt serve --config /etc/postamt/postamt.toml", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "Also=postamt-pop3.socket postamt-pop3s.socket postamt-lmtp.socket"},
	} {
		b, err := os.ReadFile(filepath.Join("systemd", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if !strings.Contains(string(b), "\n"+line+"\n") {
				t.Errorf("%s has no line %q", file, line)
			}
		}
	}
}

// systemd itself finds nothing wrong with the units.
func TestUnitsVerify(t *testing.T) {
	t.Parallel()
	dir := units(t)
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
		filepath.Join(dir, "postamt.service"), filepath.Join(dir, "postamt-pop3.socket"),
		filepath.Join(dir, "postamt-pop3s.socket"), filepath.Join(dir, "postamt-lmtp.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v\n%s", err, out)
	}
}

// systemd rates the exposure of a service from 0.0 (least) to 10.0; most daemons have more than 9.
func TestExposure(t *testing.T) {
	t.Parallel()
	dir := units(t)
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager",
		filepath.Join(dir, "postamt.service")).CombinedOutput()
	if err != nil {
		t.Errorf("more than 1.5: %v\n%s", err, out)
	}
}

// units copies the units, with a program that is there, because systemd looks for it.
func units(t *testing.T) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	files, err := filepath.Glob("systemd/postamt*")
	if err != nil || len(files) != 4 {
		t.Fatalf("units: %v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "/usr/bin/postamt", self)
		if version(t) < 253 { // it knows the line before, as the unit says
			text = strings.ReplaceAll(text, "Type=notify-reload\n", "")
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func version(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out)) // systemd 252 (252.38-1)
	if len(fields) < 2 {
		t.Fatalf("version: %s", out)
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatalf("version: %s", out)
	}
	return n
}
