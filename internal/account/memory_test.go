package account

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"
)

func TestMemoryDigestsDiffer(t *testing.T) {
	t.Parallel()
	m := newMemory(time.Minute, 10)
	a := attempt{home, "alice"}
	digests := map[digest]string{}
	for name, d := range map[string]digest{
		"good":                m.goodDigest(1, 1, "secret"),
		"other account":       m.goodDigest(2, 1, "secret"),
		"other version":       m.goodDigest(1, 2, "secret"),
		"other password":      m.goodDigest(1, 1, "Secret"),
		"bad":                 m.badDigest(a, 1, 1, "secret"),
		"bad, other address":  m.badDigest(attempt{office, "alice"}, 1, 1, "secret"),
		"bad, local":          m.badDigest(attempt{name: "alice"}, 1, 1, "secret"),
		"bad, other name":     m.badDigest(attempt{home, "alic"}, 1, 1, "esecret"),
		"bad, other version":  m.badDigest(a, 1, 2, "secret"),
		"bad, no account":     m.badDigest(a, 0, 0, "secret"),
		"bad, other password": m.badDigest(a, 1, 1, "Secret"),
		"another process":     newMemory(time.Minute, 10).goodDigest(1, 1, "secret"),
	} {
		if other, ok := digests[d]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		digests[d] = name
	}
	if name := digests[m.goodDigest(1, 1, "secret")]; name != "good" {
		t.Error("the same password has two digests")
	}
}

func TestMemoryForgetsInTime(t *testing.T) {
	t.Parallel()
	m := newMemory(time.Minute, 10)
	d := m.goodDigest(1, 1, "secret")
	if m.good.holds(0, d) {
		t.Error("it holds before it was remembered")
	}
	m.good.remember(0, d)
	if !m.good.holds(time.Minute-1, d) {
		t.Error("it is forgotten within the minute")
	}
	if m.good.holds(time.Minute, d) {
		t.Error("it holds after the minute")
	}
	off := newMemory(-1, 10)
	off.good.remember(0, d)
	if off.good.holds(0, d) {
		t.Error("it remembers though it must not")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory(time.Minute, 50)
	for i := range 1000 {
		m.good.remember(0, m.goodDigest(int64(i), 1, "x"))
		m.bad.remember(0, m.badDigest(attempt{home, strconv.Itoa(i)}, 0, 0, "x"))
	}
	if g, b := len(m.good.until.slots), len(m.bad.until.slots); g > 51 || b > 51 {
		t.Errorf("%d good and %d bad ones, want 50", g-1, b-1)
	}
}

// What strangers can fill is bounded more tightly than what takes a right password.
func TestMemoryBounds(t *testing.T) {
	t.Parallel()
	m := newMemory(time.Minute, 1<<17)
	for i := range uint64(1<<17 + 10) {
		var d digest
		binary.BigEndian.PutUint64(d[:], i)
		m.good.remember(0, d)
		m.bad.remember(0, d)
	}
	if good, bad := m.good.until.len(), m.bad.until.len(); good != 1<<17 || bad != maxWrong {
		t.Errorf("%d verified and %d wrong passwords are remembered, want %d and %d", good, bad, 1<<17, maxWrong)
	}
}
