package testpeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func fetchmail(t *testing.T, j job) [][]byte {
	keep, ssl := "keep", ""
	if j.remove {
		keep = "nokeep"
	}
	switch j.wire {
	case clear:
		ssl = `sslproto ""`
	case stls:
		ssl = "sslproto tls1.2+ sslcertck sslcertfile " + j.d.Cert
	case pop3s:
		ssl = "ssl sslcertck sslcertfile " + j.d.Cert
	}
	out := filepath.Join(j.dir, "mail")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	mda := j.write(t, "mda", "exec cat >$(mktemp "+out+"/XXXXXXXX)\n")
	rc := j.write(t, "rc", fmt.Sprintf("set no bouncemail\nset invisible\npoll localhost service %s protocol pop3 uidl\n"+
		"user %q password %q %s fetchall %s no rewrite pass8bits mda \"/bin/sh %s\"\n", j.port(), j.user, j.password, ssl, keep, mda))
	j.run(t, "fetchmail", "--fetchmailrc", rc, "--pidfile", filepath.Join(j.dir, "pid"), "--idfile", filepath.Join(j.dir, "ids"))
	return readFiles(t, out)
}
