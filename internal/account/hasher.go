package account

import (
	"context"
	"crypto/subtle"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// HasherOptions say what a hash costs and how many are computed at a time. The zero value is right.
type HasherOptions struct {
	Argon2 Argon2
	// Concurrency is how many hashes are computed at the same time. What they hold in memory is Concurrency times
	// Argon2.Memory (and, until the garbage collector comes round, about as much again). Zero means one per processor.
	Concurrency int
	// Queue is how many may wait beyond that; one more gets ErrBusy. Zero means 64 for each that is computed at a time,
	// a wait of about two seconds.
	Queue int
}

// A Hasher computes argon2id hashes, bounded in memory and concurrency. It may be used concurrently.
type Hasher struct {
	cost argon2Cost
	gate *gate
	// derive is argon2.IDKey; tests count its calls.
	derive func(password, salt []byte, cost argon2Cost, keyLen uint32) []byte
}

// NewHasher returns a Hasher. An error says which option is out of bounds.
func NewHasher(opt HasherOptions) (*Hasher, error) {
	cost, err := opt.Argon2.cost()
	if err != nil {
		return nil, err
	}
	if opt.Concurrency <= 0 {
		opt.Concurrency = runtime.GOMAXPROCS(0)
	}
	if opt.Queue <= 0 {
		opt.Queue = 64 * opt.Concurrency
	}
	return &Hasher{cost: cost, gate: newGate(opt.Concurrency, opt.Queue), derive: deriveArgon2}, nil
}

func deriveArgon2(password, salt []byte, c argon2Cost, keyLen uint32) []byte {
	return argon2.IDKey(password, salt, c.passes, c.kib, c.lanes, keyLen)
}

// hash returns the PHC string of a password.
func (h *Hasher) hash(ctx context.Context, password string) (string, error) {
	ph := passwordHash{cost: h.cost, salt: newSalt()}
	if err := h.compute(ctx, &ph, password, keyOctets); err != nil {
		return "", err
	}
	return ph.String(), nil
}

// check reports whether password is the one that stored was made of, and if so whether stored has another cost than new
// hashes. With stored empty the answer is no, after the work of a hash, so that nobody can tell by the clock.
func (h *Hasher) check(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	want := passwordHash{cost: h.cost, salt: make([]byte, saltOctets), key: make([]byte, keyOctets)}
	if stored != "" {
		if want, err = parseHash(stored); err != nil {
			return false, false, err
		}
	}
	got := passwordHash{cost: want.cost, salt: want.salt}
	if err := h.compute(ctx, &got, password, uint32(len(want.key))); err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got.key, want.key) == 1 && stored != ""
	return ok, ok && want.cost != h.cost, nil
}

// compute fills in ph.key, when it is its turn. A hash that takes more memory than ours takes as many slots.
func (h *Hasher) compute(ctx context.Context, ph *passwordHash, password string, keyLen uint32) error {
	leave, err := h.gate.enter(ctx, int((ph.cost.kib+h.cost.kib-1)/h.cost.kib))
	if err != nil {
		return err
	}
	defer leave()
	ph.key = h.derive([]byte(password), ph.salt, ph.cost, keyLen)
	return nil
}
