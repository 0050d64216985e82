// Package discover finds the mailbox server of a mail address.
//
// It asks in the order that people know from other mail programs, and stops at the first place that names a POP3 server
// with TLS:
//
//  1. what is built in about a few large providers (see Known);
//  2. the provider: Mozilla's autoconfig documents at https://autoconfig.DOMAIN and https://DOMAIN/.well-known/autoconfig;
//  3. only if Options say so, a database of others (Mozilla's ISPDB), which learns the domain;
//  4. SRV records (RFC 6186), implicit TLS first (RFC 8314 §4.5.2);
//  5. the same places for the domain of the MX record, for domains whose mail somebody else runs;
//  6. guesses (pop., pop3., mail. and the domain itself), each tried by connecting with a verified certificate.
//
// # What can be believed
//
// A document that came over verified HTTPS from the domain speaks for the domain. DNS and plain HTTP do not: whoever can
// forge them could name a server of their own, with a good certificate for its own name. So a Candidate from there whose
// host is not within the domain says so in Confirm, and a person must see the name before anything is sent to it (RFC
// 6186 §6). Whether a password or OAuth is wanted is never taken from plain HTTP. No candidate does without TLS.
//
// # Bounds
//
// Everything that strangers send is bounded: see the constants. Redirects go to https on its usual port only, and carry
// neither the address nor a Referer beyond what the provider put into them. XML with a DOCTYPE is refused.
package discover
