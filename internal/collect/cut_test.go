package collect_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3/pop3client"
)

// stride says how many points a sweep leaves out between two: POSTAMT_STRIDE, 7 with -short, else 1.
func stride(tb testing.TB) int {
	tb.Helper()
	if n, err := strconv.Atoi(os.Getenv("POSTAMT_STRIDE")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 7
	}
	return 1
}

// The connection is cut, or silent, after each octet that the server sends in a run. After a second run without a fault
// everything is there once, in a sink that knows letters again and in one that does not, and nothing is left at the
// server.
func TestCutAtEveryOctet(t *testing.T) {
	t.Parallel()
	srv, journal := newServer(t), newJournal(t)
	all := messages(3)
	for _, stall := range []bool{false, true} {
		t.Run(fmt.Sprintf("stall=%v", stall), func(t *testing.T) {
			t.Parallel()
			step := stride(t)
			if stall {
				step *= 29 // each takes its timeout
			}
			total := sweepOne(t, srv, journal, all, stall, math.MaxInt64)
			if total < 700 {
				t.Fatalf("a run is %d octets", total)
			}
			points := 0
			for n := 0; n <= int(total); n += step {
				sweepOne(t, srv, journal, all, stall, int64(n))
				points++
			}
			t.Logf("%d octets, %d points: lost 0, duplicates 0", total, points)
		})
	}
}

// sweepOne runs a fresh account twice, at first with a fault after so many octets, and returns how many came.
func sweepOne(t *testing.T, srv *server, journal *collect.Journal, all []letter, stall bool, after int64) int64 {
	t.Helper()
	safe, unsafe := &shelf{name: "safe"}, &shelf{name: "unsafe", unsafe: true}
	total := sweepInto(t, srv, journal, fmt.Sprintf("u%v%d", stall, after), all, []collect.Sink{unsafe, safe}, stall, after, func() {})
	for _, s := range []*shelf{safe, unsafe} {
		if len(s.bodies) != len(all) {
			t.Errorf("after %d octets: %s has %d messages, want %d", after, s.name, len(s.bodies), len(all))
		}
		wantBodies(t, s, all)
	}
	return total
}

// sweepInto does so with any sinks, and calls healed before the second run. Nothing may be left at the server.
func sweepInto(t *testing.T, srv *server, journal *collect.Journal, user string, all []letter, sinks []collect.Sink, stall bool, after int64, healed func()) int64 {
	t.Helper()
	srv.add(t, user, all)
	var left, count atomic.Int64
	left.Store(after)
	client := pop3client.Options{DialContext: srv.dial(func(c net.Conn) net.Conn {
		return &faulty{Conn: c, left: &left, stall: stall, count: &count}
	})}
	if stall {
		client.Timeout, client.ConnectTimeout, client.QuitTimeout = stallTimeout, stallTimeout, stallTimeout
	}
	a := collect.Account{Name: user, Source: srv.source(t, user, client), Sinks: sinks, Rules: collect.Rules{Delete: true}}
	_, _ = collect.Run(t.Context(), a, collect.Options{Journal: journal}) // fails, or not, as the fault has it
	total := count.Load()
	left.Store(math.MaxInt64)
	healed()
	a.Source = srv.source(t, user, pop3client.Options{DialContext: srv.dial(nil)})
	for i := 0; ; i++ {
		_, err := collect.Run(t.Context(), a, collect.Options{Journal: journal})
		if err == nil {
			break
		}
		if collect.Classify(err) != collect.Busy || i > 10_000 { // the server has not noticed yet
			t.Fatalf("after %d octets: second run: %v", after, err)
		}
	}
	if uids := srv.backend.UIDs(user); len(uids) != 0 {
		t.Errorf("after %d octets: %q are left at the server", after, uids)
	}
	return total
}

// The same on the way to several people, of whom one cannot get the message for both at first.
func TestCutOnTheWayToMany(t *testing.T) {
	t.Parallel()
	srv, journal := newServer(t), newJournal(t)
	all, want := lettersForMany()
	sweep := func(after int64) int64 {
		people := map[string]*shelf{"alice": {name: "alice"}, "bob": {name: "bob"}, "rest": {name: "rest"}}
		people["bob"].commit = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("away")} }
		m, err := manyPeople(func(name string) (collect.Sink, error) { return people[name], nil })
		if err != nil {
			t.Fatal(err)
		}
		total := sweepInto(t, srv, journal, fmt.Sprintf("many%d", after), all, []collect.Sink{m}, false, after, func() { people["bob"].commit = nil })
		for name, s := range people {
			if got := slices.Sorted(slices.Values(s.bodies)); !slices.Equal(got, slices.Sorted(slices.Values(want[name]))) {
				t.Errorf("after %d octets: %s has %q, want %q", after, name, got, want[name])
			}
		}
		return total
	}
	total, points := sweep(math.MaxInt64), 0
	for n := int64(0); n <= total; n += 11 * int64(stride(t)) {
		sweep(n)
		points++
	}
	t.Logf("%d octets, %d points: lost 0, duplicates 0", total, points)
}

// One account is not fetched twice at the same time, by whatever process.
func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	b.opt.LockFolder = filepath.Join(t.TempDir(), "locks")
	other := b.opt
	other.Journal = newJournal(t) // as another process has it
	inside := 0
	b.sink.commit = func(collect.Letter) error {
		inside++
		for _, o := range []collect.Options{b.opt, other} {
			if _, err := collect.Run(t.Context(), b.account, o); collect.Classify(err) != collect.Busy {
				t.Errorf("a second run: %v, want it to be busy", err)
			}
		}
		return nil
	}
	b.run()
	if inside != 1 {
		t.Errorf("%d commits", inside)
	}
	if _, err := collect.Run(t.Context(), b.account, other); err != nil {
		t.Errorf("after the first run: %v", err)
	}
}

// A program that is being started has a copy of every descriptor until its exec. That must not keep the lock.
func TestLockIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	b.opt.LockFolder = filepath.Join(t.TempDir(), "locks")
	copies := 0
	b.sink.commit = func(collect.Letter) error {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here to find the lock's descriptor in")
		}
		for _, e := range entries {
			if path, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || filepath.Dir(path) != b.opt.LockFolder {
				continue
			}
			fd, err := strconv.Atoi(e.Name())
			if err != nil {
				return err
			}
			copied, err := syscall.Dup(fd)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = syscall.Close(copied) })
			copies++
		}
		return nil
	}
	b.run()
	if copies == 0 {
		t.Fatal("no descriptor of the lock was found")
	}
	other := b.opt
	other.Journal = newJournal(t)
	if _, err := collect.Run(t.Context(), b.account, other); err != nil {
		t.Errorf("after the run, with a copy of its descriptor open: %v", err)
	}
}
