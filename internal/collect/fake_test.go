package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
)

// A letter is a message in a fake mailbox.
type letter struct {
	uid  string
	body string
	size int64 // as listed; 0 for the truth
}

// message makes a message that is unlike others.
func message(i int) letter {
	return letter{uid: fmt.Sprintf("uid%d", i), body: fmt.Sprintf(
		"Received: by mx id %d\r\nMessage-ID: <%d@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nSubject: %d\r\n\r\nbody %s\r\n",
		i, i, i, strings.Repeat("x", i))}
}

func messages(n int) []letter {
	all := make([]letter, n)
	for i := range all {
		all[i] = message(i)
	}
	return all
}

// A mailbox is a fake source. It is changed between runs.
type mailbox struct {
	letters []letter
	info    collect.SessionInfo
	noTop   bool                       // no Header
	top     func(header string) string // what TOP makes of a header, if set
	openErr error
	// What goes wrong, if set.
	list     func([]collect.Remote) ([]collect.Remote, error)
	retrieve func(l letter) error
	// body replaces what is read of a message; an error in it ends the session.
	body     func(l letter) io.Reader
	delete   func(l letter) error
	finish   func() error // before anything is removed
	finished func() error // after

	opened, retrieved, headers, deletes, finishes int
	marked                                        map[string]int // how often DELE, by UID
}

func (b *mailbox) Open(context.Context) (collect.Session, error) {
	b.opened++
	if b.openErr != nil {
		return nil, b.openErr
	}
	return &fakeSession{box: b, letters: slices.Clone(b.letters), gone: map[int]bool{}}, nil
}

type fakeSession struct {
	box     *mailbox
	letters []letter
	gone    map[int]bool
	dead    error
}

func (s *fakeSession) Info() collect.SessionInfo                             { return s.box.info }
func (s *fakeSession) Prepare(context.Context, collect.Op, []collect.Remote) {}
func (s *fakeSession) Close() error                                          { return nil }

func (s *fakeSession) List(context.Context) ([]collect.Remote, error) {
	var list []collect.Remote
	for i, l := range s.letters {
		size := l.size
		if size == 0 {
			size = int64(len(l.body))
		}
		list = append(list, collect.Remote{Num: i + 1, UID: l.uid, Size: size})
	}
	if s.box.list != nil {
		return s.box.list(list)
	}
	return list, nil
}

func (s *fakeSession) Retrieve(_ context.Context, m collect.Remote) (io.ReadCloser, error) {
	if s.dead != nil {
		return nil, s.dead
	}
	s.box.retrieved++
	l := s.letters[m.Num-1]
	if s.box.retrieve != nil {
		if err := s.box.retrieve(l); err != nil {
			var of *collect.MessageError
			if !errors.As(err, &of) {
				s.dead = err
			}
			return nil, err
		}
	}
	if s.box.body != nil {
		return io.NopCloser(&breaking{s.box.body(l), s}), nil
	}
	return io.NopCloser(strings.NewReader(l.body)), nil
}

// A breaking body takes the session with it.
type breaking struct {
	io.Reader
	session *fakeSession
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.session.dead = err
	}
	return n, err
}

func (s *fakeSession) Header(_ context.Context, m collect.Remote) (io.ReadCloser, error) {
	if s.box.noTop {
		return nil, collect.ErrNoHeaders
	}
	s.box.headers++
	body := s.letters[m.Num-1].body
	head, _, _ := strings.Cut(body, "\r\n\r\n")
	if s.box.top != nil {
		head = s.box.top(head)
	}
	return io.NopCloser(strings.NewReader(head + "\r\n\r\n")), nil
}

func (s *fakeSession) Delete(_ context.Context, m collect.Remote) error {
	l := s.letters[m.Num-1]
	if s.box.delete != nil {
		if err := s.box.delete(l); err != nil {
			return err
		}
	}
	s.box.deletes++
	if s.box.marked == nil {
		s.box.marked = map[string]int{}
	}
	s.box.marked[l.uid]++
	s.gone[m.Num] = true
	return nil
}

func (s *fakeSession) Finish(context.Context) error {
	s.box.finishes++
	if s.box.finish != nil {
		if err := s.box.finish(); err != nil {
			return err
		}
	}
	var left []letter
	for i, l := range s.letters {
		if !s.gone[i+1] {
			left = append(left, l)
		}
	}
	s.box.letters = append(left, s.box.letters[len(s.letters):]...)
	if s.box.finished != nil {
		return s.box.finished()
	}
	return nil
}

// A shelf is a sink in memory. Bodies are in the order in which they came.
type shelf struct {
	name   string
	unsafe bool
	begin  func(l collect.Letter) error
	commit func(l collect.Letter) error
	// committed, if set, is called when a message is there.
	committed func()

	mu      sync.Mutex
	bodies  []string
	letters []collect.Letter
	keys    map[string]bool
	begun   int
}

func (s *shelf) Name() string { return s.name }
func (s *shelf) Safe() bool   { return !s.unsafe }
func (s *shelf) Close() error { return nil }

func (s *shelf) Begin(_ context.Context, l collect.Letter) (collect.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	if s.begin != nil {
		if err := s.begin(l); err != nil {
			return nil, err
		}
	}
	return &shelving{shelf: s, letter: l}, nil
}

type shelving struct {
	shelf  *shelf
	letter collect.Letter
	buf    bytes.Buffer
	over   bool
}

func (d *shelving) Write(p []byte) (int, error) { return d.buf.Write(p) }

func (d *shelving) Commit(context.Context) error {
	d.over = true
	d.shelf.mu.Lock()
	defer d.shelf.mu.Unlock()
	if d.shelf.commit != nil {
		if err := d.shelf.commit(d.letter); err != nil {
			return err
		}
	}
	if !d.shelf.unsafe && d.shelf.keys[d.letter.Key] {
		return nil
	}
	if d.shelf.keys == nil {
		d.shelf.keys = map[string]bool{}
	}
	d.shelf.keys[d.letter.Key] = true
	d.shelf.bodies = append(d.shelf.bodies, d.buf.String())
	d.shelf.letters = append(d.shelf.letters, d.letter)
	if d.shelf.committed != nil {
		d.shelf.committed()
	}
	return nil
}

func (d *shelving) Abort() { d.over = true }

// A bench is an account with a fake mailbox, one sink, a journal and a clock.
type bench struct {
	tb      testing.TB
	box     *mailbox
	sink    *shelf
	account collect.Account
	opt     collect.Options
	clock   time.Time
}

func newJournal(tb testing.TB) *collect.Journal {
	tb.Helper()
	return openJournal(tb, filepath.Join(tb.TempDir(), "journal.db"))
}

func openJournal(tb testing.TB, path string) *collect.Journal {
	tb.Helper()
	db, err := catalog.Open(context.Background(), path, catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	j, err := collect.NewJournal(context.Background(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func newBench(tb testing.TB, letters []letter) *bench {
	tb.Helper()
	b := &bench{tb: tb, box: &mailbox{letters: letters}, sink: &shelf{name: "shelf"}, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	b.account = collect.Account{Name: "home", Source: b.box, Sinks: []collect.Sink{b.sink}}
	b.opt = collect.Options{Journal: newJournal(tb), Now: func() time.Time { return b.clock }}
	return b
}

// run runs the account and fails the test after an error. The clock goes on by a minute.
func (b *bench) run() collect.Report {
	b.tb.Helper()
	rep, err := b.tryRun()
	if err != nil {
		b.tb.Fatalf("Run: %v", err)
	}
	return rep
}

func (b *bench) tryRun() (collect.Report, error) {
	b.clock = b.clock.Add(time.Minute)
	return collect.Run(b.tb.Context(), b.account, b.opt)
}

// wantBodies fails unless the sink has exactly these messages, in any order.
func (b *bench) wantBodies(letters []letter) {
	b.tb.Helper()
	wantBodies(b.tb, b.sink, letters)
}

func wantBodies(tb testing.TB, s *shelf, letters []letter) {
	tb.Helper()
	var want []string
	for _, l := range letters {
		want = append(want, l.body)
	}
	got := slices.Clone(s.bodies)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		tb.Errorf("%s has %d messages, want %d:\n%q\nwant\n%q", s.name, len(got), len(want), got, want)
	}
}

func (b *bench) wantUIDs(want ...string) {
	b.tb.Helper()
	var got []string
	for _, l := range b.box.letters {
		got = append(got, l.uid)
	}
	if !slices.Equal(got, want) {
		b.tb.Errorf("at the source: %q, want %q", got, want)
	}
}
