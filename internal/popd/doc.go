// Package popd is the counter where mail is picked up: it joins the POP3 server with the accounts and the store, and
// does nothing else. The protocol is [github.com/postamt/postamt/pop3/pop3server]'s, who may come in is
// [github.com/postamt/postamt/internal/account]'s, and the mail is [github.com/postamt/postamt/internal/mailstore]'s.
//
// # Security
//
// Nothing of the wire is parsed here. What a client hears of an error is the table in errors.go and nothing else; the
// cause goes with it for the log.
//
// # Standards
//
// Response codes: RFC 2449 §8, RFC 3206. AUTH is said of credentials and of disabled accounts; who has guessed too often
// hears SYS/TEMP, so that a mail program keeps its password and tries again.
package popd
