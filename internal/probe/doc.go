// Package probe looks at what a mailbox server can do: its ports, TLS and certificate, capabilities and ways to sign in,
// and the quirks that docs/compatibility.md lists; with a user and a password also what shows after sign-in only.
//
// # Guarantees
//
// Nothing on the server changes: no message is deleted and none is marked as retrieved (RETR is never sent). A password
// goes out over TLS with a verified certificate only. Everything is bounded: time by Options.Timeout, and what the server
// sends by the limits of pop3client and the constants here. Text of a server is made fit to be shown.
//
// A server sees at most three connections for each port, one of them signed in.
package probe
