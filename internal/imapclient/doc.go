// Package imapclient reads mail from an IMAP server and puts mail there: what the collector's source and sink for IMAP need,
// and no more (RFC 3501, RFC 9051).
//
// It is an adapter around github.com/emersion/go-imap, and the only package that knows it. What comes before the first
// command on mail is done here: TLS, STARTTLS, CAPABILITY and signing in, so that no password and no channel binding
// passes through a library, nothing that was sent in the clear survives STARTTLS (CVE-2011-0411), and every mechanism of
// package sasl works. go-imap (v2.0.0-beta.8) takes over a connection that is signed in. Between it and the network stands
// a guard, because the library holds lines and literals in memory without a bound and has fixed time limits.
//
// # Guarantees
//
// Nothing but CAPABILITY and STARTTLS is said in the clear, unless Options.Security is Clear; passwords and tokens then need
// Options.AllowCleartext, too. A message that ends before its literal does is an error, and so is one whose command the
// server did not confirm. Append succeeds only with the server's tagged OK.
//
// # Bounds
//
// A response is at most 1 MiB, besides the text of a message that was asked for, which is streamed and at most
// Options.MaxMessage. A listing has at most 5 million messages. A server that makes no progress for Options.Timeout is left.
//
// # Standards
//
// RFC 3501 (IMAP4rev1), RFC 9051 (IMAP4rev2 where it is all a server has), RFC 8314 (implicit TLS), RFC 4959 (SASL-IR),
// RFC 4315 (UIDPLUS), RFC 2177 (IDLE), RFC 7888 (LITERAL+ and LITERAL-, for what is up to 4096 octets: of larger
// messages the server shall say first whether it wants them), RFC 5530 (response codes). Names of folders are UTF-8 here
// and modified UTF-7 on the wire.
package imapclient
