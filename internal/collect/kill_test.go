package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailstore"
)

// A killing server calls kill after its side has sent so many octets.
type killing struct {
	net.Conn
	sent *atomic.Int64
	at   int64
	kill func()
}

func (k *killing) Write(p []byte) (int, error) {
	before := k.sent.Load()
	if before < k.at && before+int64(len(p)) >= k.at {
		n, err := k.Conn.Write(p[:k.at-before])
		k.sent.Add(int64(n))
		k.kill()
		return n, errors.Join(err, errCut)
	}
	n, err := k.Conn.Write(p)
	k.sent.Add(int64(n))
	return n, err
}

// A killer starts collectors and kills them.
type killer struct {
	t      *testing.T
	srv    *server
	ln     net.Listener
	folder string
	all    []letter

	db      *catalog.DB
	store   mailstore.Store
	journal *collect.Journal

	mu    sync.Mutex
	guard func(net.Conn) net.Conn // of the next connection
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{t: t, srv: newServer(t), ln: ln, folder: t.TempDir(), all: messages(3)}
	ctx := context.Background()
	if k.db, err = catalog.Open(ctx, filepath.Join(k.folder, "catalog.db"), catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	if k.journal, err = collect.NewJournal(ctx, k.db); err != nil {
		t.Fatal(err)
	}
	store, closeStore, err := openStore(ctx, k.db, k.folder)
	if err != nil {
		t.Fatal(err)
	}
	k.store = store
	t.Cleanup(func() {
		if err := errors.Join(closeStore(), k.db.Close()); err != nil {
			t.Error(err)
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			if k.guard != nil {
				c = k.guard(c)
			}
			k.mu.Unlock()
			k.srv.wait.Go(func() { _ = k.srv.inner.ServeConn(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return k
}

// run runs a collector in a process of its own, and has it killed in one of three ways, if that is wanted: before a step
// of the collector, after an octet of the server, after a time. It returns how many steps and octets it got.
func (k *killer) run(user string, step int, octet int64, after time.Duration) (steps int, octets int64, killed bool) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envServer+"="+k.ln.Addr().String(), envUser+"="+user, envFolder+"="+k.folder, envStep+"="+strconv.Itoa(step))
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	var sent atomic.Int64
	ready := make(chan struct{})
	kill := func() {
		<-ready
		_ = cmd.Process.Kill()
	}
	k.mu.Lock()
	k.guard = func(c net.Conn) net.Conn { return &killing{Conn: c, sent: &sent, at: octet, kill: kill} }
	k.mu.Unlock()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	close(ready)
	if after > 0 {
		timer := time.AfterFunc(after, kill)
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL { // on unix
		return 0, sent.Load(), true
	}
	if err != nil {
		k.t.Fatalf("collector of %s: %v\n%s", user, err, fault.String())
	}
	steps, err = strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		k.t.Fatal(err)
	}
	return steps, sent.Load(), false
}

// recover runs the account to its end, in this process.
func (k *killer) recover(user string) {
	k.t.Helper()
	k.mu.Lock()
	k.guard = nil
	k.mu.Unlock()
	a, err := killAccount(k.ln.Addr().String(), user, k.folder, k.store)
	if err != nil {
		k.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := collect.Run(k.t.Context(), a, collect.Options{Journal: k.journal, LockFolder: filepath.Join(k.folder, "running")})
		if err == nil {
			return
		}
		if collect.Classify(err) != collect.Busy || time.Now().After(deadline) {
			k.t.Fatalf("run of %s after the kill: %v", user, err)
		}
	}
}

// count compares what arrived with what there was.
func (k *killer) count(user string) (lost, duplicates, twice int) {
	k.t.Helper()
	got, kept := map[string]int{}, map[string]int{}
	names, err := filepath.Glob(filepath.Join(k.folder, user, "new", "*"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			k.t.Fatal(err)
		}
		got[string(body)]++
	}
	for _, l := range k.stored(user) {
		kept[l]++
	}
	lines, err := os.ReadFile(filepath.Join(k.folder, user+".list"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, l := range k.all {
		for _, safe := range []map[string]int{got, kept} {
			switch n := safe[l.body]; {
			case n == 0:
				lost++
			case n > 1:
				duplicates += n - 1
			}
			delete(safe, l.body)
		}
		switch n := strings.Count(string(lines), fmt.Sprintf("%q\n", l.body)); {
		case n == 0:
			lost++
		case n > 1:
			twice += n - 1
		}
	}
	duplicates += len(got) + len(kept) // what nobody sent
	return lost, duplicates, twice
}

// stored returns the messages of the user's maildrop here.
func (k *killer) stored(user string) (bodies []string) {
	k.t.Helper()
	id, err := dropOf(user)
	if err != nil {
		k.t.Fatal(err)
	}
	drop, err := k.store.Open(k.t.Context(), id, mailstore.View{})
	if err != nil {
		k.t.Fatal(err)
	}
	for i := range drop.Len() {
		r, err := drop.Body(k.t.Context(), i)
		if err != nil {
			k.t.Fatal(err)
		}
		b, err := io.ReadAll(r.R)
		if err := errors.Join(err, r.R.Close()); err != nil {
			k.t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	if err := drop.Close(); err != nil {
		k.t.Fatal(err)
	}
	return bodies
}

// The real collector is killed with SIGKILL: before each of its steps, after octets of the server, and at random times.
// Then it runs once more. Each message must be in the Maildir and in the store once, and nothing left at the server; in a sink that does
// not know letters again, the one in flight may be there twice.
//
// POSTAMT_KILLS is how many processes are killed, by default 1000, with -short 60. One that ends before its time comes does
// not count.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	kills := 1000
	if testing.Short() {
		kills = 60
	}
	if n, err := strconv.Atoi(os.Getenv("POSTAMT_KILLS")); err == nil {
		kills = n
	}
	k := newKiller(t)
	k.srv.add(t, "u1000000", k.all)
	begun := time.Now()
	steps, octets, _ := k.run("u1000000", 0, 0, 0)
	span := time.Since(begun)
	if steps < 20 || octets < 700 {
		t.Fatalf("a whole run has %d steps and %d octets", steps, octets)
	}
	points, hits, atStep, atOctet, atTime := 0, 0, 0, 0, 0
	lost, duplicates, twice := 0, 0, 0
	for i := 0; hits < kills && i < 3*kills; i++ {
		user := fmt.Sprintf("u%d", i+1)
		k.srv.add(t, user, k.all)
		step, octet, after := 0, int64(0), time.Duration(0)
		switch {
		case i < steps || i%3 == 0:
			step = i%steps + 1
			atStep++
		case i%3 == 1:
			octet = 1 + (int64(i)*997)%octets // a prime: in time every octet
			atOctet++
		default:
			after = time.Duration(rand.Float64() * float64(span)) // no secret
			atTime++
		}
		if _, _, killed := k.run(user, step, octet, after); killed {
			hits++
		}
		points++
		k.recover(user)
		l, d, tw := k.count(user)
		if l+d > 0 || tw > 1 || len(k.srv.backend.UIDs(user)) > 0 {
			t.Errorf("killed at step %d, octet %d, time %v: lost %d, duplicates %d, in flight twice %d, left %q", step, octet, after, l, d, tw, k.srv.backend.UIDs(user))
		}
		lost, duplicates, twice = lost+l, duplicates+d, twice+tw
	}
	if hits < kills {
		t.Errorf("%d killed, want %d", hits, kills)
	}
	t.Logf("%d runs, %d killed: %d at steps (of %d), %d at octets (of %d), %d at random times (of %v): lost %d, duplicates %d; "+
		"twice in the sink that is not safe: %d", points, hits, atStep, steps, atOctet, octets, atTime, span, lost, duplicates, twice)
}
