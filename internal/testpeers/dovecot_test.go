package testpeers

import "testing"

// startDovecot starts a Dovecot in which each of the users has the corpus.
func startDovecot(t *testing.T, names ...string) *Dovecot {
	t.Helper()
	var messages [][]byte
	for _, l := range corpus {
		messages = append(messages, l.text)
	}
	var users []DovecotUser
	for _, name := range names {
		users = append(users, DovecotUser{Name: name, Password: farPassword, Messages: messages})
	}
	return StartDovecot(t, "", users...)
}
