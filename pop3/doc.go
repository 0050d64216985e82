// Package pop3 is the vocabulary of the Post Office Protocol, version 3: response codes, errors, capabilities, states,
// limits and URLs. It does no I/O and imports the standard library only; the two ends of the wire are
// [github.com/postamt/postamt/pop3/pop3client] and [github.com/postamt/postamt/pop3/pop3server].
//
// The words are those of RFC 1939: a maildrop holds messages; within a session a message has a message-number (1-based,
// Go name num), for life it has a unique-id (Go name UID); sizes are octets, with every line end counted as CRLF and
// before byte-stuffing.
package pop3
