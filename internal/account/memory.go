package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"sync"
	"time"
)

// A memory remembers passwords that were verified, and wrong ones that were tried, for a while: under a keyed hash whose
// key lives and dies with the process, so that what is in memory is of no use elsewhere. The account's id and the
// version of its credentials go into the hash: a new password, or a new account of the same name, forgets by itself.
type memory struct {
	key  [32]byte
	macs sync.Pool // of *mac

	good, bad verdicts
}

// A digest is a keyed hash, cut to 128 bits.
type digest [16]byte

type mac struct {
	hash.Hash
	head [16]byte
	sum  [sha256.Size]byte
}

func newMemory(ttl time.Duration, entries int) *memory {
	m := &memory{}
	_, _ = rand.Read(m.key[:]) // does not fail
	m.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, m.key[:])} }
	m.good = verdicts{ttl: ttl, until: newLRU[digest, time.Duration](entries)}
	m.bad = verdicts{ttl: wrongRemembered, until: newLRU[digest, time.Duration](min(entries, maxWrong))}
	return m
}

// maxWrong is how many wrong passwords are remembered at most.
const maxWrong = 1 << 16

// wrongRemembered is how long a wrong password is remembered for the address that tried it. A client that was not told
// the new password fails once in this time, which the throttle forgives.
const wrongRemembered = time.Hour

// goodDigest is the digest of a password for an account, from wherever it comes.
func (m *memory) goodDigest(id, version int64, password string) digest {
	return m.digest(id, version, "", password)
}

// badDigest is the digest of a password for a name (of an account or of none) from one address: what others tried must
// not show in the time an answer takes.
func (m *memory) badDigest(a attempt, id, version int64, password string) digest {
	addr := a.from.Addr().As16() // 0 for a local process
	return m.digest(id, version, string(addr[:])+a.name, password)
}

func (m *memory) digest(id, version int64, who, password string) digest {
	h := m.macs.Get().(*mac)
	defer m.macs.Put(h)
	h.Reset()
	binary.BigEndian.PutUint64(h.head[:8], uint64(id))
	binary.BigEndian.PutUint64(h.head[8:], uint64(version))
	_, _ = h.Write(h.head[:])
	binary.BigEndian.PutUint64(h.head[:8], uint64(len(who)))
	_, _ = h.Write(h.head[:8])
	_, _ = io.WriteString(h, who)
	_, _ = io.WriteString(h, password)
	return digest(h.Sum(h.sum[:0]))
}

// verdicts are digests with the time until which they hold, a bounded number of them. now counts from any fixed time.
type verdicts struct {
	ttl   time.Duration
	mu    sync.Mutex
	until *lru[digest, time.Duration]
}

func (v *verdicts) remember(now time.Duration, d digest) {
	if v.ttl <= 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	*v.until.put(d) = now + v.ttl
}

func (v *verdicts) holds(now time.Duration, d digest) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until := v.until.get(d)
	return until != nil && now < *until
}
