package testpeers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// nobody is the user as whom getmail runs where the tests are root: it refuses to deliver as root.
const nobody = 65534

func getmail(t *testing.T, j job) [][]byte {
	dir, err := os.MkdirTemp("", "getmail-") // nobody must be able to enter it, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j.dir = dir
	cert, err := os.ReadFile(j.d.Cert)
	if err != nil {
		t.Fatal(err)
	}
	kind, ca := "SimplePOP3Retriever", ""
	if j.wire == pop3s {
		kind, ca = "SimplePOP3SSLRetriever", "ca_certs = "+j.write(t, "cert.pem", string(cert))
	}
	out := filepath.Join(dir, "mail")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	// getmail 6.18 listens for the end of its delivery process only after it has started it, and waits a minute in vain
	// if that was quick. So this one is not.
	mda := j.write(t, "mda", "sleep 0.1\nexec cat >$(mktemp "+out+"/XXXXXXXX)\n")
	rc := j.write(t, "rc", fmt.Sprintf("[retriever]\ntype = %s\nserver = localhost\nport = %s\nusername = %s\npassword = %s\n%s\n"+
		"[destination]\ntype = MDA_external\npath = /bin/sh\narguments = (%q,)\n[options]\nread_all = true\ndelete = %t\nreceived = false\ndelivered_to = false\nverbose = 0\n",
		kind, j.port(), j.user, j.password, ca, mda, j.remove))

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "getmail", "--getmaildir", dir, "--rcfile", rc)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), "HOME="+dir), 10*time.Second
	if os.Getuid() == 0 {
		if out, err := exec.CommandContext(ctx, "chown", "-R", fmt.Sprint(nobody), dir).CombinedOutput(); err != nil {
			t.Fatalf("chown: %v\n%s", err, out)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("getmail: %v\n%.3000s", err, out)
	}
	return readFiles(t, out)
}
