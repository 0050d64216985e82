package main

import (
	"fmt"
	"strings"
	"testing"
)

// filled returns a box with n messages that were accepted and seen, with the unique-ids u1, u2 and so on.
func filled(t *testing.T, n int) (*box, [][]byte) {
	t.Helper()
	b := newBox("bob")
	var sent [][]byte
	for i := range n {
		id, whole := b.post([]byte("Subject: x\r\n\r\nbody\r\n"))
		b.posted(id, there)
		if got, err := b.received(fmt.Sprintf("u%d", i+1), append([]byte("Received: by us\r\n"), whole...)); err != nil || got != id {
			t.Fatal(got, err)
		}
		sent = append(sent, whole)
	}
	return b, sent
}

func TestLedgerNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		do         func(b *box, sent [][]byte) error
	}{
		{"nothing", "", func(b *box, _ [][]byte) error { return b.listing(b.expected(), []string{"u1", "u2"}) }},
		{"lost", "is lost", func(b *box, _ [][]byte) error { return b.listing(b.expected(), []string{"u2"}) }},
		{"lost before it was seen", "never listed", func(b *box, _ [][]byte) error {
			id, _ := b.post(nil)
			b.posted(id, there)
			return b.listing(b.expected(), []string{"u1", "u2"})
		}},
		{"one more than was sent", "1 messages more", func(b *box, _ [][]byte) error {
			return b.listing(b.expected(), []string{"u1", "u2", "u3"})
		}},
		{"one that is on its way", "", func(b *box, _ [][]byte) error {
			must := b.expected()
			b.post(nil)
			return b.listing(must, []string{"u1", "u2", "u3"})
		}},
		{"one that nobody knows of", "", func(b *box, _ [][]byte) error {
			id, _ := b.post(nil)
			b.posted(id, doubtful)
			return b.listing(b.expected(), []string{"u1", "u2"})
		}},
		{"twice in a listing", "twice in one", func(b *box, _ [][]byte) error {
			return b.listing(b.expected(), []string{"u1", "u2", "u2"})
		}},
		{"resurrected", "was deleted and is back", func(b *box, _ [][]byte) error {
			b.mark([]uint64{2}, deleted)
			return b.listing(b.expected(), []string{"u1", "u2"})
		}},
		{"resurrected under another unique-id", "was deleted and is back", func(b *box, sent [][]byte) error {
			b.mark([]uint64{2}, deleted)
			_, err := b.received("u9", sent[1])
			return err
		}},
		{"twice", "it is there twice", func(b *box, sent [][]byte) error {
			_, err := b.received("u9", sent[1])
			return err
		}},
		{"another octet", "other octets", func(b *box, sent [][]byte) error {
			sent[0][len(sent[0])-3] ^= 1
			_, err := b.received("u1", sent[0])
			return err
		}},
		{"in the wrong maildrop", "is the message", func(_ *box, sent [][]byte) error {
			_, err := newBox("anna").received("u1", sent[0])
			return err
		}},
		{"cut before its end, and there", "cut before its end", func(b *box, _ [][]byte) error {
			id, whole := b.post(nil)
			b.unsent(id)
			_, err := b.received("u3", whole)
			return err
		}},
		{"a cut QUIT that deleted all", "", func(b *box, _ [][]byte) error {
			b.mark([]uint64{1, 2}, deleting)
			return b.listing(b.expected(), nil)
		}},
		{"a cut QUIT that deleted half", "a cut QUIT deleted 1 messages and left 1", func(b *box, _ [][]byte) error {
			b.mark([]uint64{1, 2}, deleting)
			return b.listing(b.expected(), []string{"u1"})
		}},
	} {
		b, sent := filled(t, 2)
		err := tt.do(b, sent)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAccountOfAll(t *testing.T) {
	t.Parallel()
	b, _ := filled(t, 3)
	b.mark([]uint64{1}, deleted)
	id, _ := b.post(nil)
	b.posted(id, doubtful)
	var a Account
	a.count(b)
	if want := (Account{Accepted: 3, Cut: 1, Deleted: 1, Left: 2}); a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
}
