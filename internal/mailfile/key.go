package mailfile

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/body"
)

// A Keyer gives the messages of one source their keys. The zero value is ready. Use a new one for each pass over a
// source. It remembers some 40 octets for each message.
type Keyer struct {
	seen map[[16]byte]uint32 // halves of digests: enough to tell messages apart
}

// Key reads a message and returns its key, which has at most 90 octets, and its facts.
func (k *Keyer) Key(m Message) (string, body.Facts, error) {
	r, err := m.Open()
	if err != nil {
		return "", body.Facts{}, err
	}
	facts, err := body.Measure(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", body.Facts{}, &DamageError{File: m.File, Ordinal: m.Ordinal, Detail: "it cannot be read", Err: err}
	}
	if k.seen == nil {
		k.seen = make(map[[16]byte]uint32)
	}
	half := [16]byte(facts.SHA256[:16])
	n := k.seen[half]
	k.seen[half] = n + 1
	return fmt.Sprintf("sha256:%s:%d", hex.EncodeToString(facts.SHA256[:]), n), facts, nil
}
