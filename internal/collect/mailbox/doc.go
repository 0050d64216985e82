// Package mailbox has what the sources have in common before they connect: the URL that names a mailbox elsewhere and its
// user, and what it means that there is no password for it.
package mailbox
