package demo

import (
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/internal/terminal"
)

// tellSettings prints what a mail program needs, and lines to paste.
func (s *show) tellSettings() {
	bold := s.Terminal.Bold
	s.say("\n%s\n\n", bold("Settings for a mail program"))
	_ = s.Terminal.Print(terminal.Table{Header: []string{"  server", "localhost"}, Rows: [][]string{
		{"  POP3S", "port " + port(s.pop3s) + ", SSL/TLS"},
		{"  POP3", "port " + port(s.pop3) + ", STARTTLS"},
		{"  user name", anna + "   password  " + s.passwords[anna]},
		{"  user name", ben + "    password  " + s.passwords[ben]},
		{"  certificate", s.certificate() + " (self-signed)"},
	}})
	curl := "  curl --cacert " + quote(s.certificate()) + " -u "
	s.say("\n%s\n\n", bold("With curl: list over TLS, read the first message over STLS, delete the second"))
	s.say("%s%s pop3s://localhost:%s/\n", curl, quote(anna+":"+s.passwords[anna]), port(s.pop3s))
	s.say("%s%s --ssl-reqd pop3://localhost:%s/1\n", curl, quote(anna+":"+s.passwords[anna]), port(s.pop3))
	s.say("%s%s -l -X DELE pop3s://localhost:%s/2\n", curl, quote(ben+":"+s.passwords[ben]), port(s.pop3s))
	own := "  " + s.Command + " %s -c " + quote(filepath.Join(s.folder, configName)) + " %s\n"
	s.say("\n%s\n\n", bold("Send mail yourself, see who has what, bring back what was deleted"))
	s.say("  printf 'Subject: hello\\n\\nHello Ben.\\n' | "+own[2:], "deliver", ben)
	s.say(own, "account", "list")
	s.say(own, "undelete", ben)
	s.say("\n")
}

// quote makes a word safe for a shell, if it needs it.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
