// Package wire has the octets of POP3 that both ends share: lines that end with CRLF, multi-line bodies with
// byte-stuffing and the terminating dot, and status lines (RFC 1939 §3, RFC 2449 §4).
//
// Everything is bounded, nothing allocates per line, and bodies are worked on in blocks found with [bytes.IndexByte] or
// [bytes.Index], never octet by octet. Types are for one goroutine.
package wire
