package sqlstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/body"
)

// sampleMessages are messages of chunk 7, some of which fit no record.
func sampleMessages() []message {
	const base = 7 * chunkSize
	ours := rawUID{0xfe, 1, 2, 3}
	return []message{
		{seq: base, uid: ours.String(), body: body.ID{1}, octets: 0, header: 0},
		{seq: base + 1, uid: "given", body: body.ID{2}, octets: 10, header: 10, wire: true},
		{seq: base + 63, uid: ours.String(), body: body.ID{3}, octets: extraSize - 1, header: maxHeader, wire: true},
		{seq: base + 64, uid: ours.String(), body: body.ID{4}, octets: extraSize, header: 1, wire: true},
		{seq: base + 500, uid: ours.String(), body: body.ID{5}, octets: 1 << 30, header: maxHeader + 1},
		{seq: base + 1023, uid: strings.Repeat("~", maxUID), body: body.ID{6}, octets: math.MaxInt64, header: math.MaxInt64},
	}
}

func segmentOf(list []message) *segment {
	g := &segment{chunk: list[0].seq / chunkSize, packed: true}
	for i := range list {
		g.add(&list[i])
	}
	return g
}

func messagesOf(g *segment) (list []message) {
	for i := range g.records {
		list = append(list, g.message(i))
	}
	return list
}

// Every size, header and unique-id that can be is the same after packing and storing.
func TestPackKeepsEverything(t *testing.T) {
	t.Parallel()
	want := sampleMessages()
	p := segmentOf(want).encode(42)
	g, err := decodeSegment(p, 42, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := messagesOf(g); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	live := setOf(1, 500)
	if g, err = decodeSegment(p, 42, 7, &live); err != nil {
		t.Fatal(err)
	}
	if got := messagesOf(g); !slices.Equal(got, []message{want[1], want[4]}) || g.octets != 10+1<<30 {
		t.Errorf("live ones: %+v of %d octets", got, g.octets)
	}
	only := setOf(500)
	if got := messagesOf(g.keep(only)); !slices.Equal(got, want[4:5]) {
		t.Errorf("kept: %+v", got)
	}
}

func TestPackSize(t *testing.T) {
	t.Parallel()
	g := &segment{}
	for i := range chunkSize {
		u := rawUID{byte(i >> 8), byte(i)}
		g.add(&message{seq: int64(i), uid: u.String(), octets: 5000, header: 500})
	}
	if got, want := len(g.encode(1)), packHeader+chunkSize*recordSize+packTrailer; got != want {
		t.Errorf("a full pack has %d octets, want %d", got, want)
	}
	if per := float64(g.size()) / chunkSize; per > 41 {
		t.Errorf("a message takes %.1f octets of memory", per)
	}
}

// One wrong octet anywhere, a wrong place, a cut: all are noticed.
func TestPackDamageIsNoticed(t *testing.T) {
	t.Parallel()
	p := segmentOf(sampleMessages()).encode(42)
	for i := range p {
		q := slices.Clone(p)
		q[i] ^= 0x10
		if _, err := decodeSegment(q, 42, 7, nil); !isPackError(err) {
			t.Errorf("octet %d flipped: %v", i, err)
		}
		if _, err := decodeSegment(p[:i], 42, 7, nil); !isPackError(err) {
			t.Errorf("cut to %d octets: %v", i, err)
		}
	}
	if _, err := decodeSegment(p, 43, 7, nil); !errors.Is(err, errPackSum) {
		t.Errorf("another maildrop's: %v", err)
	}
	if _, err := decodeSegment(p, 42, 8, nil); !errors.Is(err, errPackSum) {
		t.Errorf("another chunk's: %v", err)
	}
	lacking := setOf(2)
	if _, err := decodeSegment(p, 42, 7, &lacking); !errors.Is(err, errPackOld) {
		t.Errorf("a live message that is not in it: %v", err)
	}
}

func TestSegmentSeq(t *testing.T) {
	t.Parallel()
	g := segmentOf(sampleMessages())
	for i, m := range sampleMessages() {
		if got := g.seq(i); got != m.seq {
			t.Errorf("record %d has number %d, want %d", i, got, m.seq)
		}
	}
}

// Whatever is in a pack, reading it ends in an error or in a listing that can be used and stored again.
func FuzzDecodeSegment(f *testing.F) {
	f.Add(segmentOf(sampleMessages()).encode(42))
	f.Add(segmentOf(sampleMessages()[:1]).encode(42))
	f.Add([]byte{packVersion, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > packTrailer { // the checksum would keep the fuzzer out
			p = slices.Clone(p)
			n := len(p) - packTrailer
			sum := packSum(p[:n], 42, 7)
			p[n], p[n+1], p[n+2], p[n+3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		g, err := decodeSegment(p, 42, 7, nil)
		if err != nil {
			if !isPackError(err) {
				t.Fatal(err)
			}
			return
		}
		list := messagesOf(g)
		if len(list) == 0 {
			return
		}
		again, err := decodeSegment(segmentOf(list).encode(42), 42, 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(messagesOf(again)) != fmt.Sprint(list) {
			t.Errorf("stored again: %+v, was %+v", messagesOf(again), list)
		}
	})
}
