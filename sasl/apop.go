package sasl

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
)

// APOPDigest returns the digest of POP3's APOP command (RFC 1939 §7), which is no SASL mechanism but a cousin of
// CRAM-MD5: MD5 of the greeting's timestamp, with its angle brackets, followed by the secret, in lower-case hexadecimal.
func APOPDigest(timestamp string, secret []byte) string {
	h := md5.New()
	h.Write([]byte(timestamp))
	h.Write(secret)
	return hex.EncodeToString(h.Sum(nil))
}

// CheckAPOP checks a client's digest in constant time. It returns ErrMalformed if digest is not 32 lower-case
// hexadecimal digits and ErrCredentials if it does not fit or secret is empty.
func CheckAPOP(timestamp string, secret []byte, digest string) error {
	if !isMD5Hex(digest) {
		return malformed("APOP: digest is not 32 hexadecimal digits in lower case")
	}
	fits := subtle.ConstantTimeCompare([]byte(APOPDigest(timestamp, secret)), []byte(digest)) == 1
	if !fits || len(secret) == 0 {
		return ErrCredentials
	}
	return nil
}
