package account

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2 is the cost of one argon2id hash (RFC 9106). The zero value means the least that OWASP recommends: 19 MiB, two
// passes, one lane, which takes about 25 ms of one processor.
type Argon2 struct {
	// Memory is in octets, rounded down to KiB: 64 KiB to 1 GiB. Zero means 19 MiB.
	Memory int64
	// Passes is 1 to 64. Zero means 2.
	Passes int
}

func (a Argon2) withDefaults() Argon2 {
	if a.Memory == 0 {
		a.Memory = 19 << 20
	}
	if a.Passes == 0 {
		a.Passes = 2
	}
	return a
}

// Bounds of what is computed, whoever wrote the catalog.
const (
	minArgon2KiB    = 64
	maxArgon2KiB    = 1 << 20
	maxArgon2Passes = 64
	maxArgon2Lanes  = 16
	saltOctets      = 16
	keyOctets       = 32
)

// An argon2Cost is what one hash takes, as it stands in a PHC string.
type argon2Cost struct {
	kib    uint32
	passes uint32
	lanes  uint8
}

// cost returns a's cost, or why it is out of bounds.
func (a Argon2) cost() (argon2Cost, error) {
	a = a.withDefaults()
	kib := a.Memory >> 10
	switch {
	case kib < minArgon2KiB || kib > maxArgon2KiB:
		return argon2Cost{}, fmt.Errorf("account: argon2 memory of %d octets is not between 64 KiB and 1 GiB", a.Memory)
	case a.Passes < 1 || a.Passes > maxArgon2Passes:
		return argon2Cost{}, fmt.Errorf("account: %d argon2 passes are not between 1 and %d", a.Passes, maxArgon2Passes)
	}
	return argon2Cost{uint32(kib), uint32(a.Passes), 1}, nil
}

// A passwordHash is an argon2id hash. Its String is the PHC string format that other programs use as well:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY, in unpadded base64.
type passwordHash struct {
	cost argon2Cost
	salt []byte
	key  []byte
}

// newSalt returns a salt for a new hash. crypto/rand does not fail.
func newSalt() []byte {
	salt := make([]byte, saltOctets)
	_, _ = rand.Read(salt)
	return salt
}

func (h passwordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.kib, h.cost.passes, h.cost.lanes,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

// parseHash reads what String writes, and nothing else. The error does not repeat the hash.
func parseHash(s string) (passwordHash, error) {
	var h passwordHash
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != "v=19" {
		return h, fmt.Errorf("account: stored password hash is not argon2id, version 19")
	}
	p := strings.Split(f[3], ",")
	if len(p) != 3 {
		return h, fmt.Errorf("account: stored password hash lacks its cost")
	}
	kib, ok1 := parseCost(p[0], "m=", minArgon2KiB, maxArgon2KiB)
	passes, ok2 := parseCost(p[1], "t=", 1, maxArgon2Passes)
	lanes, ok3 := parseCost(p[2], "p=", 1, maxArgon2Lanes)
	if !ok1 || !ok2 || !ok3 || kib < 8*lanes { // RFC 9106 §3.1: at least 8 KiB for each lane
		return h, fmt.Errorf("account: stored password hash has a cost out of bounds")
	}
	h.cost = argon2Cost{kib, passes, uint8(lanes)}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(f[4])
	h.key, err2 = base64.RawStdEncoding.Strict().DecodeString(f[5])
	if err1 != nil || err2 != nil || strings.ContainsAny(f[4]+f[5], "\r\n") ||
		len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return h, fmt.Errorf("account: stored password hash has a damaged salt or key")
	}
	return h, nil
}

// parseCost reads prefix and a decimal number without leading zeros.
func parseCost(s, prefix string, least, most uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || uint32(n) < least || uint32(n) > most {
		return 0, false
	}
	return uint32(n), true
}
