package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
)

// batchOf returns a batch for a maildrop, with texts.
func batchOf(s mailstore.Store, drop mailstore.DropID, texts ...string) (mailstore.Batch, error) {
	b := s.Batch(mailstore.Recipient{Drop: drop, Address: address(drop)})
	for _, text := range texts {
		if err := b.Add(background, mailstore.Envelope{}, strings.NewReader(text)); err != nil {
			b.Abort()
			return nil, err
		}
	}
	return b, nil
}

// batchTexts are messages of which the second is larger than a block.
func batchTexts(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("batch %d\r\n", i)
		if i == 1 {
			texts[i] += strings.Repeat("0123456789abcdef\r\n", 6000)
		}
	}
	return texts
}

// The messages of a batch come in its order, behind what is there. Receipts are in that order, too.
func testBatch(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "before\r\n", alice)
	want := []string{"before\r\n"}
	for range 3 {
		in := batchTexts(mailstore.MaxBatch)
		b, err := batchOf(s, alice, in...)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, s, alice); len(got) != len(want) {
			t.Errorf("%d messages before Commit, want %d", len(got), len(want))
		}
		if err := b.Add(t.Context(), mailstore.Envelope{}, iotest.ErrReader(errors.New("it was read"))); err == nil {
			t.Errorf("a batch takes more than %d messages", mailstore.MaxBatch)
		}
		receipts, err := b.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, in...)
		got := contents(t, s, alice)
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Fatal(diff)
		}
		for i, m := range got[len(got)-len(in):] {
			if r := (mailstore.Receipt{UID: m.uid, Octets: int64(len(m.text))}); receipts[i] != r {
				t.Errorf("receipt %d is %+v, want %+v", i, receipts[i], r)
			}
		}
		if _, err := b.Commit(t.Context()); err == nil {
			t.Error("a batch is stored twice")
		}
		if err := b.Add(t.Context(), mailstore.Envelope{}, strings.NewReader("late")); err == nil {
			t.Error("a batch takes messages after its end")
		}
		b.Abort()
	}
	b, err := batchOf(s, alice)
	if err != nil {
		t.Fatal(err)
	}
	if receipts, err := b.Commit(t.Context()); err != nil || len(receipts) != 0 {
		t.Errorf("an empty batch: %v, %v", receipts, err)
	}
	clean(t, s)
}

// What is there already is not read, and its body leaves nothing. The rest of the batch is stored.
func testBatchKey(t *testing.T, f *fixture) {
	s := f.store(t)
	first, err := try(s, mailstore.Envelope{Key: "k1"}, "one\r\n", alice)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batchOf(s, alice, "zero\r\n")
	if err != nil {
		t.Fatal(err)
	}
	unread := iotest.ErrReader(errors.New("it was read"))
	for _, m := range []struct {
		key string
		r   io.Reader
	}{
		{"k1", unread},
		{"k2", strings.NewReader("two\r\n")},
		{"k2", strings.NewReader("two again\r\n")},
		{"k3", strings.NewReader("three\r\n")},
	} {
		if err := b.Add(t.Context(), mailstore.Envelope{Key: m.key}, m.r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := try(s, mailstore.Envelope{Key: "k3"}, "three meanwhile\r\n", alice); err != nil {
		t.Fatal(err)
	}
	receipts, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, s, alice)
	if diff := cmp.Diff([]string{"one\r\n", "three meanwhile\r\n", "zero\r\n", "two\r\n"}, texts(got)); diff != "" {
		t.Fatal(diff)
	}
	want := []mailstore.Receipt{
		{UID: got[2].uid, Octets: 6},
		{UID: first[0].UID, Octets: 5, Duplicate: true},
		{UID: got[3].uid, Octets: 5},
		{UID: got[3].uid, Octets: 5, Duplicate: true},
		{UID: got[1].uid, Octets: 17, Duplicate: true},
	}
	if diff := cmp.Diff(want, receipts); diff != "" {
		t.Error(diff)
	}
	files := len(bodyFiles(t, f.bodies))
	if b, err = batchOf(s, alice); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(t.Context(), mailstore.Envelope{Key: "k2"}, unread); err != nil {
		t.Fatal(err)
	}
	if receipts, err := b.Commit(t.Context()); err != nil || len(receipts) != 1 || !receipts[0].Duplicate {
		t.Errorf("a batch of what is there: %+v, %v", receipts, err)
	}
	if now := len(bodyFiles(t, f.bodies)); now != files {
		t.Errorf("what is there already made %d files of bodies %d", files, now)
	}
	clean(t, s)
}

// A message that cannot be taken in leaves the batch as it was; a batch that is given up or refused leaves nothing.
func testBatchRefused(t *testing.T, f *fixture) {
	f.cfg.MaxOctets = 1 << 20
	s := f.store(t)
	b, err := batchOf(s, alice, "first\r\n")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the source is broken")
	large := strings.Repeat("x", 100_000)
	for _, m := range []struct {
		env  mailstore.Envelope
		r    io.Reader
		want error
	}{
		{r: io.MultiReader(strings.NewReader(large), iotest.ErrReader(broken)), want: broken},
		{r: strings.NewReader(strings.Repeat("x", 2<<20)), want: mailstore.ErrTooLarge},
		{env: mailstore.Envelope{Key: strings.Repeat("k", 201)}, r: strings.NewReader("x")},
	} {
		if err := b.Add(t.Context(), m.env, m.r); err == nil || m.want != nil && !errors.Is(err, m.want) {
			t.Errorf("error %v, want %v", err, m.want)
		}
	}
	if err := b.Add(t.Context(), mailstore.Envelope{}, strings.NewReader("second\r\n")); err != nil {
		t.Fatal(err)
	}
	if receipts, err := b.Commit(t.Context()); err != nil || len(receipts) != 2 {
		t.Errorf("%d receipts, %v", len(receipts), err)
	}
	if got, want := texts(contents(t, s, alice)), []string{"first\r\n", "second\r\n"}; !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	clean(t, s)
	if err := s.Remove(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	bodies := len(bodyFiles(t, f.bodies)) // of a bundle that is too young to go
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		end  func(mailstore.Batch) error
		drop mailstore.DropID
		want error
	}{
		"given up":  {func(b mailstore.Batch) error { b.Abort(); return nil }, bob, nil},
		"cancelled": {func(b mailstore.Batch) error { _, err := b.Commit(cancelled); return err }, bob, context.Canceled},
		"removed":   {func(b mailstore.Batch) error { _, err := b.Commit(background); return err }, alice, mailstore.ErrRemoved},
	} {
		b, err := batchOf(s, tt.drop, batchTexts(2)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.end(b); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
		if _, err := b.Commit(t.Context()); err == nil {
			t.Errorf("%s: Commit succeeds", name)
		}
		if u, err := s.Usage(t.Context(), tt.drop); u.Messages != 0 || err != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: the maildrop has %+v, %v", name, u, err)
		}
		if left := len(bodyFiles(t, f.bodies)); left != bodies {
			t.Errorf("%s: %d files of bodies, want %d", name, left, bodies)
		}
	}
}

// Small messages of a batch share files.
func testBatchShares(t *testing.T, f *fixture) {
	synctest.Test(t, func(t *testing.T) {
		g := faultfs.NewGate(f.cfg.Bodies)
		f.cfg.Bodies = g
		s := f.store(t)
		in := make([]string, mailstore.MaxBatch)
		for i := range in {
			in[i] = fmt.Sprintf("small %d\r\n", i)
		}
		b, err := batchOf(s, alice, in...)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(g.Open)
		wg.Wait()
		if files := bodyFiles(t, f.bodies); len(files) > 2 {
			t.Errorf("%d messages are in %d files, want one for those that came at once and one for the others", len(in), len(files))
		}
		if diff := cmp.Diff(in, texts(contents(t, s, alice))); diff != "" {
			t.Error(diff)
		}
	})
}

// Whatever operation on bodies fails, a batch is stored whole or not at all, leaves no file then, and the next is stored.
func testBatchFaults(t *testing.T, f *fixture) {
	fsys, err := faultfs.New(f.bodies)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.Bodies = fsys
	s := f.store(t)
	deliver(t, s, "base\r\n", alice)
	in := batchTexts(5)
	var want []string
	for _, plan := range []faultfs.Plan{
		{Err: syscall.ENOSPC},
		{Err: syscall.ENOSPC, Stay: true},
		{Err: syscall.EIO},
	} {
		refused := 0
		for at := 1; ; at++ {
			plan.At = at
			fsys.Set(plan)
			var receipts []mailstore.Receipt
			b, err := batchOf(s, bob, in...)
			if err == nil {
				receipts, err = b.Commit(t.Context())
			}
			failed := fsys.Failed()
			fsys.Set(faultfs.Plan{})
			switch {
			case err == nil && len(receipts) == len(in):
				want = append(want, in...)
			case !errors.Is(err, mailstore.ErrUnavailable) || !errors.Is(err, plan.Err):
				t.Errorf("%v at %d: %d receipts, %v, want ErrUnavailable that wraps the fault", plan.Err, at, len(receipts), err)
			default:
				refused++
			}
			if !failed {
				break
			}
		}
		if refused == 0 {
			t.Errorf("%+v: no batch was refused, this proves nothing", plan)
		}
		if diff := cmp.Diff(want, texts(contents(t, s, bob))); diff != "" {
			t.Fatalf("%+v: %s", plan, diff)
		}
	}
	if r := clean(t, s); len(r.Problems) > 0 {
		t.Errorf("left on disk: %+v", r.Problems)
	}
}
