package sasl

import (
	"bytes"
	"encoding/base64"
)

var strictBase64 = base64.StdEncoding.Strict()

// EncodeBase64 returns b in base64, with padding and without line breaks: the form of every challenge and response on
// the wire except an empty initial response.
func EncodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// EncodeInitialResponse returns b as it stands on the line of the AUTH command, where "=" means empty (RFC 5034 §4).
func EncodeInitialResponse(b []byte) string {
	if len(b) == 0 {
		return "="
	}
	return EncodeBase64(b)
}

// DecodeBase64 decodes a challenge or a response. It takes exactly what RFC 4648 §4 allows an encoder to produce: the
// standard alphabet, full padding, no octet outside the alphabet (also no CR or LF), no bits set beyond the last octet.
// An empty line is an empty, non-nil result (RFC 5034 §4). Anything else is ErrMalformed.
//
// The result has at most three quarters of line's length, so whoever bounds the line bounds the memory.
func DecodeBase64(line []byte) ([]byte, error) {
	// encoding/base64 skips CR and LF, also in strict mode.
	if bytes.ContainsAny(line, "\r\n") {
		return nil, malformed("line break in base64")
	}
	out := make([]byte, strictBase64.DecodedLen(len(line)))
	n, err := strictBase64.Decode(out, line)
	if err != nil {
		return nil, malformed("not base64")
	}
	return out[:n], nil
}

// DecodeInitialResponse decodes the initial response of an AUTH command: base64, or "=" for empty (RFC 5034 §4).
// Nothing at all is ErrMalformed. The result is never nil without an error.
func DecodeInitialResponse(arg []byte) ([]byte, error) {
	switch string(arg) {
	case "":
		return nil, malformed("no initial response")
	case "=":
		return []byte{}, nil
	}
	return DecodeBase64(arg)
}
