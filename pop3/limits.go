package pop3

import "time"

// Ports of the protocol.
const (
	// Port is the TCP port of POP3 in the clear, with STLS (RFC 1939 §3).
	Port = 110
	// PortTLS is the TCP port of POP3 over implicit TLS (RFC 8314 §7.1).
	PortTLS = 995
)

// Limits that the protocol sets.
const (
	// MaxCommand is the longest command, in octets with its CRLF (RFC 2449 §4).
	MaxCommand = 255
	// MaxStatus is the longest first line of a response, in octets with its CRLF (RFC 2449 §4).
	MaxStatus = 512
	// MaxCapability is the longest line of a capability list, in octets with its CRLF (RFC 2449 §5).
	MaxCapability = 512
	// MaxArgument is the longest argument that every server takes, also one without CAPA, in octets (RFC 1939 §3).
	MaxArgument = 40
	// MaxUID is the longest unique-id, in octets (RFC 1939 §7).
	MaxUID = 70
	// MinAutologout is the shortest time that a server's autologout timer may have (RFC 1939 §3).
	MinAutologout = 10 * time.Minute
	// ALPN is the protocol's name in the TLS handshake.
	ALPN = "pop3"
)

// ValidUID reports whether uid is a unique-id as RFC 1939 §7 wants it: 1 to 70 octets of 0x21 to 0x7E.
func ValidUID[T string | []byte](uid T) bool {
	if len(uid) == 0 || len(uid) > MaxUID {
		return false
	}
	return visible(uid)
}

// visible reports whether all octets of s are visible ASCII. UIDL asks it for each message, so it looks at eight octets at
// a time: subtracting 0x21 borrows into the top bit of those below, adding 1 carries 0x7F there.
func visible[T string | []byte](s T) bool {
	const low, high = 0x2121212121212121, 0x0101010101010101
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if (x|(x-low)|(x+high))&0x8080808080808080 != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7E {
			return false
		}
	}
	return true
}
