// Package lmtpd is the counter where Postfix, Exim and other mail transfer agents hand in mail: LMTP over TCP and unix
// sockets. It joins the protocol to [mailstore.Store] and [account.Directory] and does nothing else.
//
// A 250 after DATA is sent for a recipient only when the message is durably in the recipient's maildrop. One message for
// many recipients is taken in once and committed in one step, all or none; a recipient that leads to a maildrop already
// in the transaction gets a reply of its own, and the maildrop one copy.
//
// What comes in is what goes out: octets of any value and lines of any length pass. The end of the message is
// CRLF.CRLF and nothing else; a bare LF or a bare CR never begins a line as far as the protocol is concerned (so nothing
// can be smuggled past the MTA in front). What becomes of bare LF and bare CR in the maildrop is the store's rule:
// see [mailstore.Delivery].
//
// A disabled account receives mail: to disable somebody must not bounce what others send them.
//
// # Security
//
// Input is whatever an MTA passes on, so the message is hostile and the commands may be. LMTP has no sign-in: whoever
// reaches the socket may deliver. Keep TCP on loopback and the unix socket in a folder for the MTA's group.
//
// # Standards
//
// RFC 2033 (LMTP), RFC 5321 (SMTP, where LMTP follows it), RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8),
// RFC 2920 (PIPELINING), RFC 2034 and 3463 (ENHANCEDSTATUSCODES), RFC 3848 and 6531 (names in Received). CHUNKING and
// BINARYMIME (RFC 3030) are not offered: POP3 cannot carry binary content (RFC 6856 §2.1).
//
// # Limits
//
// Connections, command line (2048 octets), path (512 octets), recipients (1000), message size, bad commands in a row
// (20), time between commands (5 minutes) and between octets of a message (3 minutes), time for all of a message (1 hour)
// and for the store (2 minutes). The memory of a connection does not grow with the message.
//
// # Why not a library
//
// go-smtp, whose client is the other end in our tests, could not serve here (v0.25.1): it misses
// the end of a message whose last line ends in CR CR LF, cannot switch CHUNKING off, either limits the length of lines
// in messages or does not limit commands at all, answers DATA without recipients with 502 where RFC 2033 §4.2 says 503,
// and refuses a message of exactly the announced SIZE.
package lmtpd
