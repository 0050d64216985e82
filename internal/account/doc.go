// Package account decides who may come in: accounts and their credentials, sign-in, and the slowing-down of guessing.
// It knows no protocol and no mail; the counters ask it.
package account
