// Package sasl has the mechanisms of the Simple Authentication and Security Layer (RFC 4422) that mail uses, both ends,
// one file each: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS forms, OAUTHBEARER and XOAUTH2; and the
// digest of POP3's APOP.
//
// Server mechanisms never see where accounts are kept: each takes a function that looks up or checks what it needs.
// A Server or Client is one exchange: it takes decoded messages and returns messages to be encoded, and the protocol
// around it does the rest. [DecodeBase64] and its neighbours are the encoding that POP3, IMAP and SMTP have in common.
// A client that has a server's list of mechanisms asks [SelectMechanism] for the best one and [NewClient] for its Client.
//
// # Security
//
// Everything from the other end is untrusted: it is bounded by [MaxMessage], [MaxName] and [MaxSecret] and parsed
// strictly. Proofs and digests are compared in constant time, and no error has a name, a secret or any other part of a
// message in it. Names and passwords are prepared by [Prepare] before they are looked up or checked.
//
// # Standards
//
// RFC 4616 (PLAIN), draft-murchison-sasl-login (LOGIN), RFC 2195 (CRAM-MD5), RFC 5802 and RFC 7677 (SCRAM), RFC 5929
// and RFC 9266 (channel bindings), RFC 7628 (OAUTHBEARER), developers.google.com/gmail/imap/xoauth2-protocol (XOAUTH2), RFC 4013 (SASLprep), RFC 1939 §7 (APOP).
//
// # Compatibility
//
// Until version 1.0 of the module any of this may still change; changes are listed in its change log.
package sasl
