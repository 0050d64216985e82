// Package office puts everything together: it is the one place where constructors are called, so "find references" shows
// the whole graph. [Office] is the daemon, [Vault] is what commands and the daemon share: catalog, accounts, mail.
package office
