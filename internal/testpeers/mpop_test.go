package testpeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func mpop(t *testing.T, j job) [][]byte {
	onOff := map[bool]string{true: "on", false: "off"}
	maildir := filepath.Join(j.dir, "Maildir")
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(maildir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rc := j.write(t, "rc", fmt.Sprintf("account default\nhost localhost\nport %s\nuser %s\npassword %s\nauth %s\ntls %s\ntls_starttls %s\ntls_trust_file %s\n"+
		"keep %s\nuidls_file %s\ndelivery maildir %s\nreceived_header off\n",
		j.port(), j.user, j.password, map[bool]string{true: "user", false: "on"}[j.wire == clear], onOff[j.wire != clear], onOff[j.wire == stls], j.d.Cert,
		onOff[!j.remove], filepath.Join(j.dir, "uidls"), maildir))
	j.run(t, "mpop", "--file", rc, "--quiet")
	return readFiles(t, filepath.Join(maildir, "new"))
}
