// Package sasl has the mechanisms of the Simple Authentication and Security Layer (RFC 4422) that mail uses, both ends,
// one file each: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS forms.
//
// Server mechanisms never see where accounts are kept: each takes a function that looks up or checks what it needs.
package sasl
