// Package keyring keeps secrets in the keyring of the desktop: the Secret Service of GNOME, KDE, KeePassXC and others, on
// the session bus. It is the only package that knows github.com/zalando/go-keyring.
//
// A secret has the attributes "service" and "username", as go-keyring and many other programs write them, so other tools
// find it:
//
//	secret-tool lookup service postamt username bob@pop.example.net
//
// # Guarantees
//
// Every call ends with its context, and after [Timeout] at the latest, even if a person is asked to unlock the keyring and
// does not answer. Errors are one sentence each and never show the secret. No session bus is started that is not there.
//
// # Limits
//
// A secret has at most [MaxSecret] octets, a service and a user at most [MaxName] each. One call runs at a time in one
// process, because the module has one connection to the bus; the others wait. The connection is closed after each call.
package keyring
