// Package account decides who may come in: accounts and their credentials, sign-in, and the slowing-down of guessing.
// It knows no protocol and no mail; the counters ask it.
//
// A [SQLDirectory] keeps accounts in the catalog, and is what the commands for operators use. A [Guard] stands before
// it and signs people in. What other processes change counts at once: a Guard asks the directory each time, and what
// it remembers is bound to the version of the credentials.
//
// # Security
//
// The package handles names and passwords from strangers. Of a password it keeps an argon2id hash and, unless that is
// turned off, SCRAM keys; the password itself only if an operator turns on APOP or CRAM-MD5, which cannot do without.
// Signing in costs the same work and gives the same error for a wrong password, for an account without one and for no
// account at all. Neither errors nor logs have a password, a hash or a key in them.
//
// A name that is tried too often has to wait, whoever tries. During a flood of guesses the owner gets in from the
// addresses they signed in from of late, and has to wait at others: that is the price of not letting a thousand
// addresses guess a thousand times as fast. What the throttle and the memory know is lost when the process ends.
//
// # Standards
//
// Names: RFC 8265 §3.3 (UsernameCaseMapped) within the dot-atom of RFC 5322 §3.2.3 and RFC 6531. Passwords: SASLprep
// (RFC 4013). Hashes: RFC 9106 in the PHC string format. SCRAM keys: RFC 5802, RFC 7677, written as in RFC 5803.
//
// # Limits
//
// Names and passwords have 248 octets at most. Hashes: [HasherOptions]. What strangers can fill: [ThrottleOptions] and
// [GuardOptions]; full, with the default numbers, all of it takes about 50 MiB.
package account
