package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/mailstore"
)

var background = context.Background()

func testEmpty(t *testing.T, f *fixture) {
	s := f.store(t)
	d := openDrop(t, s, alice, mailstore.View{})
	if d.Len() != 0 || d.Octets() != 0 {
		t.Errorf("a maildrop nobody delivered to has %d messages of %d octets", d.Len(), d.Octets())
	}
	if err := d.Update(t.Context(), mailstore.Update{}); err != nil {
		t.Errorf("Update of nothing: %v", err)
	}
	closeDrop(t, d)
	if u, err := s.Usage(t.Context(), alice); err != nil || u != (mailstore.Usage{}) {
		t.Errorf("Usage: %+v, %v", u, err)
	}
	if list, err := s.Deleted(t.Context(), alice, time.Time{}); err != nil || len(list) != 0 {
		t.Errorf("Deleted: %v, %v", list, err)
	}
	if n, err := s.Undelete(t.Context(), alice, time.Time{}); err != nil || n != 0 {
		t.Errorf("Undelete: %d, %v", n, err)
	}
	if r, err := s.Sweep(t.Context()); err != nil || r != (mailstore.SweepResult{}) {
		t.Errorf("Sweep: %+v, %v", r, err)
	}
}

func testDeliver(t *testing.T, f *fixture) {
	s := f.store(t)
	const text = "From: a@example.com\r\nSubject: x\r\n\r\nHello.\r\n"
	receipts, err := try(s, mailstore.Envelope{Sender: "a@example.com"}, text, alice)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != 1 || receipts[0].Octets != int64(len(text)) || receipts[0].Duplicate {
		t.Fatalf("receipts %+v", receipts)
	}
	if uid := receipts[0].UID; len(uid) < 22 {
		t.Errorf("unique-id %q cannot hold 128 random bits", uid)
	}
	if diff := cmp.Diff([]message{{receipts[0].UID, text}}, contents(t, s, alice), cmp.AllowUnexported(message{})); diff != "" {
		t.Error(diff)
	}
	if got := contents(t, s, bob); len(got) != 0 {
		t.Errorf("the other maildrop has %v", got)
	}
}

// What comes in in any form goes out in one, and all octet counts agree.
func testForm(t *testing.T, f *fixture) {
	s := f.store(t)
	for i, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"CRLF", "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n"},
		{"bare LF", "A: b\n\nc\n", "A: b\r\n\r\nc\r\n"},
		{"bare CR", "A: b\r\n\r\nc\rd\r\n", "A: b\r\n\r\nc\rd\r\n"},
		{"NUL and 8 bit", "A: \x00\xff\r\n\r\n\x00", "A: \x00\xff\r\n\r\n\x00\r\n"},
		{"no last line end", "A: b\r\n\r\nc", "A: b\r\n\r\nc\r\n"},
		{"no header", "just text\r\n", "just text\r\n"},
		{"dots", ".\r\n..\r\n.a\r\n", ".\r\n..\r\n.a\r\n"},
		{"dot after bare LF", "a\n.\nb\n", "a\r\n.\r\nb\r\n"},
		{"long line", strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20) + "\r\n"},
		{"many lines", strings.Repeat("0123456789abcde\n", 1<<14), strings.Repeat("0123456789abcde\r\n", 1<<14)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := mailstore.DropID(100 + i)
			d, err := s.Begin(t.Context(), mailstore.Envelope{})
			if err != nil {
				t.Fatal(err)
			}
			r := io.Reader(strings.NewReader(tt.in))
			if len(tt.in) < 100 {
				r = iotest.OneByteReader(r)
			}
			if n, err := io.Copy(d, r); err != nil || n != int64(len(tt.in)) {
				t.Fatalf("Write took %d octets: %v", n, err)
			}
			receipts, err := d.Commit(t.Context(), []mailstore.Recipient{{Drop: id}})
			if err != nil {
				t.Fatal(err)
			}
			if got := receipts[0].Octets; got != int64(len(tt.want)) {
				t.Errorf("the receipt says %d octets, want %d", got, len(tt.want))
			}
			if got := texts(contents(t, s, id)); len(got) != 1 || got[0] != tt.want {
				t.Errorf("got %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

func testEnvelope(t *testing.T, f *fixture) {
	s := f.store(t)
	received := time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, env := range []mailstore.Envelope{
		{},
		{Sender: "someone@example.com"},
		{Sender: "j\u00fcrgen@example.com", Received: received},
	} {
		if _, err := try(s, env, "x", alice); err != nil {
			t.Fatal(err)
		}
		d := openDrop(t, s, alice, mailstore.View{})
		info, err := d.Info(t.Context(), d.Len()-1)
		closeDrop(t, d)
		if err != nil {
			t.Fatal(err)
		}
		want := env.Received
		if want.IsZero() {
			want = f.clock.now()
		}
		if info.Sender != env.Sender || info.Recipient != address(alice) || !info.Received.Equal(want) {
			t.Errorf("Info is %+v, delivered as %+v", info, env)
		}
	}
}

// Messages come in delivery order, whatever their dates, their unique-ids and the clock say.
func testOrder(t *testing.T, f *fixture) {
	s := f.store(t)
	var want []string
	for i := range 50 {
		env := mailstore.Envelope{
			UID:      fmt.Sprintf("%02d", 99-i),
			Received: f.clock.now().Add(-time.Duration(i) * time.Hour),
		}
		text := fmt.Sprintf("message %d\r\n", i)
		if _, err := try(s, env, text, alice); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
		if i == 25 {
			f.clock.advance(-time.Hour)
		}
	}
	if diff := cmp.Diff(want, texts(contents(t, s, alice))); diff != "" {
		t.Error(diff)
	}
}

func testSeveralMaildrops(t *testing.T, f *fixture) {
	s := f.store(t)
	drops := []mailstore.DropID{5, 3, 9, 4}
	receipts, err := try(s, mailstore.Envelope{}, "to all\r\n", drops...)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != len(drops) {
		t.Fatalf("%d receipts for %d recipients", len(receipts), len(drops))
	}
	for i, id := range drops {
		want := []message{{receipts[i].UID, "to all\r\n"}}
		if got := contents(t, s, id); !slices.Equal(got, want) {
			t.Errorf("maildrop %d has %q, want %q", id, got, want)
		}
		d := openDrop(t, s, id, mailstore.View{})
		if info, err := d.Info(t.Context(), 0); err != nil || info.Recipient != address(id) {
			t.Errorf("maildrop %d: recipient %q, %v", id, info.Recipient, err)
		}
		closeDrop(t, d)
	}
	// What one of them deletes the others keep.
	remove(t, s, 5, 0)
	if got := texts(contents(t, s, 3)); !slices.Equal(got, []string{"to all\r\n"}) {
		t.Errorf("after the other deleted it: %q", got)
	}
}

func testAbort(t *testing.T, f *fixture) {
	s := f.store(t)
	d, err := s.Begin(t.Context(), mailstore.Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	d.Abort()
	if _, err := d.Commit(t.Context(), []mailstore.Recipient{{Drop: alice}}); err == nil {
		t.Error("Commit after Abort succeeds")
	}
	if got := contents(t, s, alice); len(got) != 0 {
		t.Errorf("an aborted message is there: %d", len(got))
	}
	if left := bodyFiles(t, f.bodies); len(left) != 0 {
		t.Errorf("Abort leaves %q", left)
	}

	d, err = s.Begin(t.Context(), mailstore.Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(t.Context(), []mailstore.Recipient{{Drop: alice}}); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if got := texts(contents(t, s, alice)); !slices.Equal(got, []string{""}) {
		t.Errorf("after Commit and Abort: %q", got)
	}
}

func testNoRecipients(t *testing.T, f *fixture) {
	s := f.store(t)
	if receipts, err := try(s, mailstore.Envelope{}, "for nobody", nil...); err == nil && len(receipts) != 0 {
		t.Errorf("receipts for nobody: %v", receipts)
	}
	report, err := s.Check(t.Context(), mailstore.CheckOptions{Digests: true})
	if err != nil || report.Messages != 0 {
		t.Errorf("Check: %+v, %v", report, err)
	}
}

func testGivenUID(t *testing.T, f *fixture) {
	s := f.store(t)
	for _, uid := range []string{"a", "!", "~", strings.Repeat("u", 70), "000000014a3b"} {
		receipts, err := try(s, mailstore.Envelope{UID: uid}, "x", alice)
		if err != nil || receipts[0].UID != uid {
			t.Fatalf("delivering with unique-id %q: %v, %v", uid, receipts, err)
		}
	}
	taken := func(when string) {
		t.Helper()
		// Also together with others, and then for nobody.
		for _, drops := range [][]mailstore.DropID{{alice}, {bob, alice}, {alice, bob}} {
			if _, err := try(s, mailstore.Envelope{UID: "a"}, "again", drops...); !errors.Is(err, mailstore.ErrUIDTaken) {
				t.Errorf("%s, to %v: error %v, want ErrUIDTaken", when, drops, err)
			}
		}
		if got := contents(t, s, bob); len(got) != 0 {
			t.Errorf("%s: stored for some of the recipients: %q", when, got)
		}
	}
	taken("while the message is there")
	remove(t, s, alice, 0)
	taken("after deletion")
	f.clock.advance(window + 24*time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken("after the sweep")
	if _, err := try(s, mailstore.Envelope{UID: "a"}, "x", bob); err != nil {
		t.Errorf("the same unique-id in another maildrop: %v", err)
	}
}

func testBadUID(t *testing.T, f *fixture) {
	s := f.store(t)
	for _, env := range []mailstore.Envelope{
		{UID: strings.Repeat("u", 71)},
		{UID: "with space"},
		{UID: "with\r\nline"},
		{UID: "\x7f"},
		{UID: "\u00fc"},
		{Key: strings.Repeat("k", 201)},
	} {
		if _, err := try(s, env, "x", alice); err == nil {
			t.Errorf("%+v is taken", env)
		}
	}
	if got := contents(t, s, alice); len(got) != 0 {
		t.Errorf("there is %q", got)
	}
}

func testKey(t *testing.T, f *fixture) {
	s := f.store(t)
	env := mailstore.Envelope{Key: strings.Repeat("k", 200)}
	first, err := try(s, env, "first", alice)
	if err != nil || first[0].Duplicate {
		t.Fatal(first, err)
	}
	again := func(when string) {
		t.Helper()
		got, err := try(s, env, "second", alice)
		if err != nil || len(got) != 1 || !got[0].Duplicate || got[0].UID != first[0].UID {
			t.Errorf("%s: receipts %+v, %v, want a duplicate of %s", when, got, err, first[0].UID)
		}
	}
	again("while it is there")
	// A maildrop that does not have it gets it.
	both, err := try(s, env, "second", bob, alice)
	if err != nil || len(both) != 2 || both[0].Duplicate || !both[1].Duplicate || both[1].UID != first[0].UID {
		t.Errorf("to both: %+v, %v", both, err)
	}
	if got := texts(contents(t, s, bob)); !slices.Equal(got, []string{"second\r\n"}) {
		t.Errorf("the other maildrop has %q", got)
	}
	if got := texts(contents(t, s, alice)); !slices.Equal(got, []string{"first\r\n"}) {
		t.Errorf("the maildrop has %q", got)
	}
	remove(t, s, alice, 0)
	again("after deletion")
	f.clock.advance(window + 24*time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	again("after the sweep")
	if got := contents(t, s, alice); len(got) != 0 {
		t.Errorf("a deleted message came back: %q", got)
	}
}

func testTooLarge(t *testing.T, f *fixture) {
	f.cfg.MaxOctets = 100_000
	s := f.store(t)
	fits := strings.Repeat("x", 100_000-2)
	for _, text := range []string{fits + "x", strings.Repeat("x", 1<<20), strings.Repeat("\n", 50_001)} {
		if _, err := try(s, mailstore.Envelope{}, text, alice); !errors.Is(err, mailstore.ErrTooLarge) {
			t.Errorf("%d octets: error %v, want ErrTooLarge", len(text), err)
		}
	}
	if left := bodyFiles(t, f.bodies); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	deliver(t, s, fits, alice)
	if got := contents(t, s, alice); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

func testCancelledCommit(t *testing.T, f *fixture) {
	s := f.store(t)
	d, err := s.Begin(t.Context(), mailstore.Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Commit(ctx, []mailstore.Recipient{{Drop: alice}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	d.Abort()
	if got := contents(t, s, alice); len(got) != 0 {
		t.Errorf("there are %d messages", len(got))
	}
	deliver(t, s, "x", alice)
}

func testReopen(t *testing.T, f *fixture) {
	var want []message
	for i := range 3 {
		s, err := f.open(f.dir, f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, s, alice); !slices.Equal(got, want) {
			t.Errorf("opened for the %d. time: %q, want %q", i+1, got, want)
		}
		for j := range 20 {
			text := fmt.Sprintf("message %d.%d\r\n", i, j)
			want = append(want, message{deliver(t, s, text, alice), text})
		}
		remove(t, s, alice, 0, 7, len(want)-1)
		want = slices.Concat(want[1:7], want[8:len(want)-1])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func testListingDoesNotAllocate(t *testing.T, f *fixture) {
	s := f.store(t)
	for range 10 {
		deliver(t, s, "x", alice)
	}
	d := openDrop(t, s, alice, mailstore.View{})
	defer closeDrop(t, d)
	buf := make([]byte, 0, 70)
	var sum int64
	if got := testing.AllocsPerRun(100, func() {
		for i := range d.Len() {
			buf = d.AppendUID(buf[:0], i)
			sum += d.Size(i)
		}
		sum += d.Octets()
	}); got != 0 {
		t.Errorf("going through a listing allocates %v times", got)
	}
}
