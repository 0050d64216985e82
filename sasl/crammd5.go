package sasl

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
)

// NewChallenge returns a fresh msg-id for CRAM-MD5 and APOP, with its angle brackets: 130 random bits, then host, which
// must be a domain name or an address literal.
func NewChallenge(host string) string { return "<" + rand.Text() + "@" + host + ">" }

// A CRAMMD5Server is the server's end of CRAM-MD5 (RFC 2195).
type CRAMMD5Server struct {
	challenge string
	secret    func(user string) ([]byte, error)
	user      string
	asked     bool
	over      bool
}

// NewCRAMMD5Server returns the server's end of CRAM-MD5. challenge is a msg-id never used before (see NewChallenge).
// secret returns the user's secret in the clear, or an error that wraps ErrCredentials if there is no such user.
//
// CRAM-MD5 needs secrets that can be read back and rests on MD5 (RFC 6151): offer it to old clients only.
func NewCRAMMD5Server(challenge string, secret func(user string) ([]byte, error)) *CRAMMD5Server {
	return &CRAMMD5Server{challenge: challenge, secret: secret}
}

// Names returns what the client said it is. authz is always empty: CRAM-MD5 cannot carry one.
func (s *CRAMMD5Server) Names() (authz, user string) { return "", s.user }

// Next sends the challenge, then checks the answer: user SP digest.
func (s *CRAMMD5Server) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.over {
		return nil, false, malformed("CRAM-MD5: message after the end")
	}
	if !s.asked {
		s.asked = true
		if response != nil {
			s.over = true
			return nil, false, malformed("CRAM-MD5: message before the challenge")
		}
		return []byte(s.challenge), false, nil
	}
	s.over = true
	if len(response) > MaxMessage {
		return nil, false, malformed("CRAM-MD5: message too long")
	}
	// A name may have spaces in it, a digest has none.
	i := bytes.LastIndexByte(response, ' ')
	if i < 0 || !isMD5Hex(string(response[i+1:])) {
		return nil, false, malformed("CRAM-MD5: message does not end with a digest")
	}
	user, err := prepareUser(string(response[:i]))
	if err != nil {
		return nil, false, err
	}
	s.user = user
	secret, err := s.secret(user)
	if err != nil && !errors.Is(err, ErrCredentials) {
		return nil, false, err
	}
	// The digest is computed for an unknown user too, so that the answer takes the same time.
	fits := subtle.ConstantTimeCompare([]byte(cramDigest(s.challenge, secret)), response[i+1:]) == 1
	if err != nil {
		return nil, false, err
	}
	if !fits || len(secret) == 0 {
		return nil, false, ErrCredentials
	}
	return nil, true, nil
}

// A CRAMMD5Client is the client's end of CRAM-MD5.
type CRAMMD5Client struct {
	user, secret string
	answered     bool
}

// NewCRAMMD5Client returns the client's end of CRAM-MD5.
func NewCRAMMD5Client(user, secret string) *CRAMMD5Client {
	return &CRAMMD5Client{user: user, secret: secret}
}

// Start returns no initial response: the server speaks first.
func (c *CRAMMD5Client) Start() (mech string, ir []byte, err error) {
	if _, _, err := prepareUserPassword(c.user, c.secret); err != nil {
		return "", nil, err
	}
	return CRAMMD5, nil, nil
}

// Next answers the challenge. It refuses one that is empty or longer than MaxMessage, and a second one.
func (c *CRAMMD5Client) Next(challenge []byte) (response []byte, err error) {
	if c.answered {
		return nil, malformed("CRAM-MD5: more than one challenge")
	}
	c.answered = true
	if len(challenge) == 0 || len(challenge) > MaxMessage {
		return nil, malformed("CRAM-MD5: challenge empty or too long")
	}
	return []byte(c.user + " " + cramDigest(string(challenge), []byte(c.secret))), nil
}

// cramDigest is RFC 2195 §2: HMAC-MD5 of the challenge with its angle brackets, in lower-case hexadecimal.
func cramDigest(challenge string, secret []byte) string {
	mac := hmac.New(md5.New, secret)
	mac.Write([]byte(challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

// isMD5Hex reports whether s is an MD5 digest in lower-case hexadecimal.
func isMD5Hex(s string) bool {
	if len(s) != 2*md5.Size {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
