package sqlstore

import (
	"slices"
	"testing"
)

func setOf(members ...int) (s set) {
	for _, n := range members {
		s.add(n)
	}
	return s
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := setOf(0, 63, 64, 1023)
	if got := slices.Collect(s.all()); !slices.Equal(got, []int{0, 63, 64, 1023}) || s.count() != 4 {
		t.Errorf("members %v, count %d", got, s.count())
	}
	u := setOf(63, 64, 700)
	for _, tt := range []struct {
		name string
		got  set
		want set
	}{
		{"union", s.union(u), setOf(0, 63, 64, 700, 1023)},
		{"intersect", s.intersect(u), setOf(63, 64)},
		{"minus", s.minus(u), setOf(0, 1023)},
		{"firstOf", firstOf(65).intersect(s), setOf(0, 63, 64)},
		{"firstOf none", firstOf(0), set{}},
		{"firstOf all", firstOf(chunkSize).intersect(s), s},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, slices.Collect(tt.got.all()), slices.Collect(tt.want.all()))
		}
	}
	if !s.contains(setOf(0, 64)) || s.contains(u) || !s.contains(set{}) {
		t.Error("contains is wrong")
	}
	for n := range 66 {
		if got := firstOf(n); got.count() != n {
			t.Errorf("firstOf(%d) has %d members", n, got.count())
		}
	}
}

// Few members are stored as a list, so that a deletion of one message costs 2 octets and not 128.
func TestSetStoredForm(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 63, 64, 65, chunkSize} {
		var s set
		for i := range n {
			s.add(i * (chunkSize / max(n, 1)))
		}
		p := s.encode()
		if want := min(2*n, setSize); len(p) != want {
			t.Errorf("%d members take %d octets, want %d", n, len(p), want)
		}
		if got, err := decodeSet(p); err != nil || got != s {
			t.Errorf("%d members come back as %d, %v", n, got.count(), err)
		}
	}
	for _, bad := range [][]byte{{1}, {1, 0, 1, 0}, {2, 0, 1, 0}, {0, 4}, make([]byte, setSize+2)} {
		if _, err := decodeSet(bad); err == nil {
			t.Errorf("%v is taken for a set", bad)
		}
	}
}

func FuzzDecodeSet(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 2, 0, 255, 3})
	all := firstOf(chunkSize)
	f.Add(all.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := decodeSet(p)
		if err != nil {
			return
		}
		again, err := decodeSet(s.encode())
		if err != nil || again != s {
			t.Errorf("%x: not the same after storing: %v", p, err)
		}
	})
}
