package testpeers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cyrusSettings is imapd.conf: folders of its own, and passwords in a sasldb, which every mechanism of Cyrus SASL can use.
const cyrusSettings = `
configdirectory: %[1]s/conf
proc_path: %[1]s/run/proc
mboxname_lockpath: %[1]s/run/lock
defaultpartition: default
partition-default: %[1]s/spool
hashimapspool: no
unixhierarchysep: no
altnamespace: no
admins: cyrus
allowplaintext: yes
allowapop: yes
autocreate_quota: 0
popminpoll: 0
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: %[1]s/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256
tls_server_cert: %[1]s/cert.pem
tls_server_key: %[1]s/key.pem
lmtpsocket: %[1]s/run/lmtp
idlesocket: %[1]s/run/idle
notifysocket: %[1]s/run/notify
servername: localhost
virtdomains: off
`

const cyrusServices = `
START {
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C %[1]s/imapd.conf -r"
}
SERVICES {
  pop3  cmd="%[2]s -C %[1]s/imapd.conf" listen="%[3]s" prefork=0 maxchild=100
  pop3s cmd="%[2]s -C %[1]s/imapd.conf -s" listen="%[4]s" prefork=0 maxchild=100
}
EVENTS {
}
`

// StartCyrus starts Debian's Cyrus with a spool of its own, and stops it at the end of the test. Without Cyrus, or without
// root, the test is skipped as Need does.
func StartCyrus(t testing.TB, users ...MailUser) *MailServer {
	t.Helper()
	Need(t, "saslpasswd2")
	pop3d := program(t, "cyrus-pop3d", "usr/lib/cyrus/bin/pop3d")
	master, mbpath, reconstruct := "/usr/lib/cyrus/bin/master", "/usr/lib/cyrus/bin/mbpath", "/usr/lib/cyrus/bin/reconstruct"
	Need(t, master, mbpath, reconstruct)
	s := newMailServer(t, "cyrus")
	uid, gid := account(t, "cyrus")
	as := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}

	conf := s.write(t, "imapd.conf", fmt.Sprintf(cyrusSettings, s.dir), 0o644)
	services := s.write(t, "cyrus.conf", fmt.Sprintf(cyrusServices, s.dir, pop3d, s.POP3, s.POP3S), 0o644)
	for _, dir := range []string{"conf/db", "conf/socket", "conf/log", "conf/msg", "run/proc", "run/lock", "spool"} {
		must(t, os.MkdirAll(filepath.Join(s.dir, dir), 0o755))
	}
	for _, u := range users {
		cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", filepath.Join(s.dir, "sasldb2"), "-u", "localhost", u.Name)
		cmd.Stdin = strings.NewReader(u.Password)
		output(t, cmd)
	}
	s.give(t, s.dir, uid, gid)
	cmd := exec.Command(master, "-C", conf, "-M", services, "-p", filepath.Join(s.dir, "run/master.pid"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	s.start(t, cmd)

	helper := func(program, mailbox string) string {
		cmd := exec.Command(program, "-C", conf, mailbox)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return strings.TrimSpace(output(t, cmd))
	}
	for _, u := range users {
		// The first sign-in makes the mailbox; what is put there becomes mail by reconstruct.
		converse(t, s.POP3, "USER "+u.Name, "PASS "+u.Password, "QUIT")
		box := helper(mbpath, "user."+u.Name)
		for i, m := range u.Messages {
			must(t, os.WriteFile(filepath.Join(box, fmt.Sprintf("%d.", i+1)), m, 0o600))
		}
		s.give(t, box, uid, gid)
		helper(reconstruct, "user."+u.Name)
	}
	return s
}
