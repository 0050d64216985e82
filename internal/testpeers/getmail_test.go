package testpeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func getmail(t *testing.T, j job) [][]byte {
	kind, ca := "SimplePOP3Retriever", ""
	if j.wire == pop3s {
		kind, ca = "SimplePOP3SSLRetriever", "ca_certs = "+j.d.Cert
	}
	maildir := filepath.Join(j.dir, "Maildir")
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(maildir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rc := j.write(t, "rc", fmt.Sprintf("[retriever]\ntype = %s\nserver = localhost\nport = %s\nusername = %s\npassword = %s\n%s\n"+
		"[destination]\ntype = Maildir\npath = %s/\n[options]\nread_all = true\ndelete = %t\nreceived = false\ndelivered_to = false\nverbose = 0\n",
		kind, j.port(), j.user, j.password, ca, maildir, j.remove))
	j.run(t, "getmail", "--getmaildir", j.dir, "--rcfile", rc)
	return readFiles(t, filepath.Join(maildir, "new"))
}
