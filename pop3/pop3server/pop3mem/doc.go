// Package pop3mem keeps accounts and mail in memory, for tests and as the shortest whole example of a
// [pop3server.Backend]. Passwords are kept in the clear; nothing survives the process.
package pop3mem
