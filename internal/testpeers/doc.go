// Package testpeers starts the real postamt binary for tests and meets it with the real clients of Debian: curl,
// fetchmail, mpop, getmail6, Python's poplib and Perl's Net::POP3, each over cleartext on loopback, STLS and POP3S, with
// the mail left on the server and with deletion.
//
// The other way round it starts Debian's POP3 servers, Dovecot, Courier, Cyrus and GNU Mailutils, each with a folder of its
// own, for the collector and for pop3client. They need root. [Listen] is for servers that no package has: those that say
// the wrong thing, or nothing.
//
// A test whose peer is missing skips and says so; with POSTAMT_PEERS=required in the environment (as in CI) it fails.
package testpeers
