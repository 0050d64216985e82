// Package secret finds the passwords of the collector's accounts. Where one is, is written in one word:
//
//	command:pass show mail/bob   the first line that a program prints; no shell is asked, words are split as a shell would
//	file:/etc/postamt/bob        the first line of a file that only its owner may read
//	env:BOB_PASSWORD             an environment variable
//	credential:bob               a systemd credential, a file in $CREDENTIALS_DIRECTORY (LoadCredential=)
//	keyring                      the desktop's keyring: service "postamt", user USER@HOST
//	keyring:mail/bob             another entry of it: service "mail", user "bob"
//	netrc, netrc:/path           the password in .netrc for the account's host and user
//	prompt                       a person is asked
//
// # Guarantees
//
// A password is read anew at each Get, so a changed one is seen without a restart. It is never part of an error, of what
// String says, or of an argument of a program. What a command writes to its standard error is not shown, because nobody
// knows what is in it. Everything is bounded: see [MaxSecret], [MaxOutput] and [CommandTimeout].
package secret
