package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	name   string // of the kind
	kind   killKind
	srv    *server
	ln     net.Listener
	peer   string // URL of what the kind needs besides
	folder string

	db      *catalog.DB
	store   mailstore.Store
	journal *collect.Journal

	mu        sync.Mutex
	guard     func(net.Conn) net.Conn // of the next connection to the server
	guardPeer func(net.Conn) net.Conn // and to the peer
}

func newKiller(t *testing.T, kind string) *killer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{t: t, name: kind, kind: killKinds()[kind], srv: newServer(t), ln: ln, folder: t.TempDir()}
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
	if k.kind.peer != nil {
		k.startPeer()
	}
	return k
}

// A killTime is when a collector is killed, in one of four ways: before a step of its own, after an octet of the server,
// when the peer has read so often and written so many octets, after a time. A whole run is measured with the same.
type killTime struct {
	step        int
	octet, peer int64
	after       time.Duration
}

// run runs a collector in a process of its own, and has it killed, if that is wanted. Otherwise it returns how many steps
// and octets there were.
func (k *killer) run(user string, at killTime) (whole killTime, killed bool) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envServer+"="+k.ln.Addr().String(), envKind+"="+k.name, envPeer+"="+k.peer,
		envUser+"="+user, envFolder+"="+k.folder, envStep+"="+strconv.Itoa(at.step))
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	var sent, peer atomic.Int64
	ready := make(chan struct{})
	kill := func() {
		<-ready
		_ = cmd.Process.Kill()
	}
	k.mu.Lock()
	k.guard = func(c net.Conn) net.Conn { return &killing{Conn: c, sent: &sent, at: at.octet, kill: kill} }
	k.guardPeer = func(c net.Conn) net.Conn {
		return &killingPeer{killing{Conn: c, sent: &peer, at: at.peer, kill: kill}}
	}
	k.mu.Unlock()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	close(ready)
	if at.after > 0 {
		timer := time.AfterFunc(at.after, kill)
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL { // on unix
		return killTime{}, true
	}
	if err != nil {
		k.t.Fatalf("collector of %s: %v\n%s", user, err, fault.String())
	}
	whole = killTime{octet: sent.Load(), peer: peer.Load(), after: time.Since(begun)}
	if whole.step, err = strconv.Atoi(strings.TrimSpace(out.String())); err != nil {
		k.t.Fatal(err)
	}
	return whole, false
}

// recover runs the account to its end, in this process.
func (k *killer) recover(user string) {
	k.t.Helper()
	k.mu.Lock()
	k.guard, k.guardPeer = nil, nil
	k.mu.Unlock()
	a, err := killAccount(k.name, k.order(user))
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

func (k *killer) order(user string) killOrder {
	return killOrder{server: k.ln.Addr().String(), peer: k.peer, user: user, folder: k.folder, store: k.store}
}

// count compares what arrived with what was to arrive. twice are those that are there twice where letters are not known
// again, duplicates those elsewhere and what nobody sent.
func (k *killer) count(user string) (lost, duplicates, twice int) {
	k.t.Helper()
	for place, want := range k.kind.want {
		got := map[string]int{}
		for _, body := range k.kind.got(k, user, place) {
			got[body]++
		}
		for _, body := range want {
			switch n := got[body]; {
			case n == 0:
				lost++
			case n > 1 && place == k.kind.unsafe:
				twice += n - 1
			case n > 1:
				duplicates += n - 1
			}
			delete(got, body)
		}
		duplicates += len(got)
	}
	return lost, duplicates, twice
}

// sweep kills so many collectors, and has each account run once more.
func (k *killer) sweep(kills int) {
	k.t.Helper()
	k.srv.add(k.t, "u1000000", k.kind.letters)
	whole, _ := k.run("u1000000", killTime{})
	if whole.step < 20 || whole.octet < 700 || k.peer != "" && whole.peer < 400 {
		k.t.Fatalf("a whole run has %d steps, %d octets, %d at the peer", whole.step, whole.octet, whole.peer)
	}
	runs, hits := 0, 0
	var ways [4]int
	lost, duplicates, twice := 0, 0, 0
	for i := 0; hits < kills && i < 3*kills; i++ {
		user := fmt.Sprintf("u%d", i+1)
		k.srv.add(k.t, user, k.kind.letters)
		var at killTime
		way := i % 4
		if i < whole.step && kills > 3*whole.step || way == 2 && k.peer == "" {
			way = 0
		}
		n := ways[way]
		ways[way]++
		switch way { // by primes: spread wide, and in time each step and each octet
		case 0:
			at.step = 1 + n*7919%whole.step
		case 1:
			at.octet = 1 + int64(n)*1_000_003%whole.octet
		case 2:
			at.peer = 1 + int64(n)*1_000_003%whole.peer
		case 3:
			at.after = time.Duration(rand.Float64() * float64(whole.after)) // no secret
		}
		if _, killed := k.run(user, at); killed {
			hits++
		}
		runs++
		k.recover(user)
		l, d, tw := k.count(user)
		if left := k.srv.backend.UIDs(user); l+d > 0 || tw > 1 || len(left) > 0 {
			k.t.Errorf("killed at %+v: lost %d, duplicates %d, in flight twice %d, left %q", at, l, d, tw, left)
		}
		lost, duplicates, twice = lost+l, duplicates+d, twice+tw
	}
	if hits < kills {
		k.t.Errorf("%d killed, want %d", hits, kills)
	}
	k.t.Logf("%d runs, %d killed: %d at steps (of %d), %d at octets (of %d), %d at what the peer does (of %d), %d at random times (of %v): "+
		"lost %d, duplicates %d; twice in the sink that is not safe: %d",
		runs, hits, ways[0], whole.step, ways[1], whole.octet, ways[2], whole.peer, ways[3], whole.after, lost, duplicates, twice)
}

// killsWanted is POSTAMT_KILLS, or else what is given.
func killsWanted(usual, short int) int {
	if n, err := strconv.Atoi(os.Getenv("POSTAMT_KILLS")); err == nil {
		return n
	}
	if testing.Short() {
		return short
	}
	return usual
}

// The real collector is killed with SIGKILL: before each of its steps, after octets of the server, and at random times.
// Then it runs once more. Each message must be in the Maildir and in the store once, and nothing left at the server; in a
// sink that does not know letters again, the one in flight may be there twice.
//
// POSTAMT_KILLS is how many processes are killed, by default 1000, with -short 60. One that ends before its time comes does
// not count.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	newKiller(t, "mail").sweep(killsWanted(1000, 60))
}
