package pop3

import "math"

// MaxNum is the highest message-number that ParseNum takes.
const MaxNum = math.MaxInt32

// ParseNum reads a message-number: decimal digits only, 1 to MaxNum (RFC 1939 §4). Signs, spaces and everything else
// are refused.
func ParseNum[T string | []byte](s T) (num int, ok bool) {
	n, ok := ParseOctets(s)
	if !ok || n == 0 || n > MaxNum {
		return 0, false
	}
	return int(n), true
}

// ParseOctets reads a number of octets, messages or lines: decimal digits only, at most [math.MaxInt64].
func ParseOctets[T string | []byte](s T) (n int64, ok bool) {
	if len(s) == 0 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
