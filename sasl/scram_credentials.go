package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

const (
	// MinIterations is the least number of iterations for new credentials (RFC 7677 §4) and the least that a client takes
	// from a server unless told otherwise.
	MinIterations = 4096
	// MaxIterations is the greatest number of iterations that a client takes from a server unless told otherwise, so that
	// a bad server cannot keep it busy for long: on a processor of 2020 it is about a second for SHA-256.
	MaxIterations = 1 << 22
	// SaltSize is the octets of a salt that NewSalt and FakeScramCredentials make.
	SaltSize = 16
)

// ScramCredentials is what a server keeps of a password for SCRAM (RFC 5802 §3): enough to check a client's proof and to
// prove itself, not enough to sign in.
type ScramCredentials struct {
	// Salt is 1 octet or more, random for each password.
	Salt []byte
	// Iterations is 1 or more; new credentials have MinIterations or more.
	Iterations int
	// StoredKey and ServerKey have the hash function's size.
	StoredKey []byte
	ServerKey []byte
}

// NewSalt returns a random salt of SaltSize octets.
func NewSalt() []byte {
	salt := make([]byte, SaltSize)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return salt
}

// DeriveScramCredentials derives what a server keeps from a password. The password is prepared first (see Prepare); one
// that is empty, too long or cannot be prepared is ErrMalformed. The time it takes grows with iterations.
func DeriveScramCredentials(h ScramHash, password string, salt []byte, iterations int) (ScramCredentials, error) {
	if len(salt) == 0 || iterations < 1 {
		return ScramCredentials{}, errors.New("sasl: SCRAM credentials want a salt and at least one iteration")
	}
	salted, err := saltPassword(h, password, salt, iterations)
	if err != nil {
		return ScramCredentials{}, err
	}
	return ScramCredentials{
		Salt:       append([]byte(nil), salt...),
		Iterations: iterations,
		StoredKey:  h.sum(h.hmac(salted, "Client Key")),
		ServerKey:  h.hmac(salted, "Server Key"),
	}, nil
}

// FakeScramCredentials returns credentials for a name that does not exist: they fit no password that anybody could find,
// and they are the same each time for one key and name, so that a stranger cannot tell them from real ones (RFC 5802 §9).
//
// key is a secret of the server, 16 random octets or more, kept for as long as its accounts. user is the prepared name.
// iterations is the number that real accounts have.
func FakeScramCredentials(h ScramHash, key []byte, user string, iterations int) ScramCredentials {
	derive := func(label string, n int) []byte {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, label+"\x00"+h.Mechanism(false)+"\x00"+user)
		return mac.Sum(nil)[:n]
	}
	return ScramCredentials{
		Salt:       derive("salt", SaltSize),
		Iterations: iterations,
		StoredKey:  derive("stored key", h.Size()),
		ServerKey:  derive("server key", h.Size()),
	}
}

// fit reports whether c can be used with h.
func (c ScramCredentials) fit(h ScramHash) bool {
	return len(c.Salt) > 0 && c.Iterations > 0 && len(c.StoredKey) == h.Size() && len(c.ServerKey) == h.Size()
}

// saltPassword is SaltedPassword of RFC 5802 §3: PBKDF2 with HMAC over the prepared password.
func saltPassword(h ScramHash, password string, salt []byte, iterations int) ([]byte, error) {
	pass, err := preparePassword(password)
	if err != nil {
		return nil, err
	}
	return pbkdf2.Key(func() hash.Hash { return h.std().New() }, pass, salt, iterations, h.Size())
}
