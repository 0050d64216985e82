// Package smtpclient hands messages to an SMTP or LMTP server (RFC 5321, RFC 2033).
//
// It sends messages to the octet, except that a bare LF becomes CRLF and a missing last line end is added, which the
// protocol asks for; in blocks, not octet by octet; and every exchange and every block has a time limit, also while a
// message is being sent. The client of github.com/emersion/go-smtp, which our tests use as the other end's library,
// changes CR CR LF, has no time limit while a message is being sent and knows no context (v0.25.1).
//
// # Guarantees
//
// A message counts as taken only when the server said so after its end. A connection that is closed before
// [Message.Finish] leaves nothing at the server (RFC 5321 §4.1.1.4). With STARTTLS, which is the default, nothing but the
// greeting and EHLO is said in the clear, and what came together with the answer to STARTTLS ends the connection
// (CVE-2011-0411). Passwords go over checked TLS only, or as a SCRAM proof, which is bound to the TLS connection where the
// server can do that.
//
// # Limits
//
// A reply has at most 100 lines of 2000 octets; an error keeps 500 octets of it.
//
// # Standards
//
// RFC 5321, RFC 2033 (LMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 9266 (channel binding), RFC 8314 §3.3 (implicit
// TLS), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 2034 and RFC 3463 (enhanced codes). Not used: PIPELINING, CHUNKING, DSN.
package smtpclient
