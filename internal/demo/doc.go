// Package demo is what `postamt demo` does: it opens an office on free loopback ports, hands in mail of many kinds over
// LMTP, picks it up over POP3S, and compares every octet. It uses the same office, client and servers as everybody, so
// what it shows is what there is.
package demo
