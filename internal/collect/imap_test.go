package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
)

// envIMAP is the address of an IMAP server. It makes TestIMAPChild a collector.
const envIMAP = "POSTAMT_KILL_IMAP"

// TestIMAPChild is the process that TestIMAPKilledAnywhere kills: one run of the real thing.
func TestIMAPChild(t *testing.T) {
	address := os.Getenv(envIMAP)
	if address == "" {
		t.Skip("it is started by TestIMAPKilledAnywhere")
	}
	step, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		t.Fatal(err)
	}
	y := openIMAPYard(t, os.Getenv(envFolder))
	steps := 0
	opt := collect.Options{Journal: y.journal, LockFolder: filepath.Join(y.folder, "running")}
	collect.SetStep(&opt, func(string) {
		if steps++; steps == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	a, err := imapAccount(address, os.Getenv(envUser), y.folder)
	if err != nil {
		t.Fatal(err)
	}
	_, err = collect.Run(t.Context(), a, opt)
	if err := errors.Join(err, a.Sinks[1].Close()); err != nil {
		t.Fatal(err)
	}
	fmt.Println(steps, "steps")
}

// imapAccount is an account of folders that are named after the user. Every other one has a trace line, because the sink
// knows a letter again by that, or else by its octets.
func imapAccount(address, user, folder string) (collect.Account, error) {
	credentials := imapclient.Credentials{Password: func(context.Context) (string, error) { return imaptest.Password, nil }}
	source, err := imapsource.New(imapsource.Options{
		URL: "imap://" + imaptest.User + "@" + address + "/from-" + user, Cleartext: true, Credentials: credentials,
		Client: imapclient.Options{Timeout: 20 * time.Second},
	})
	if err != nil {
		return collect.Account{}, err
	}
	there, err := sink.NewIMAP(sink.IMAPOptions{
		Server: imapclient.Options{Addr: address, Security: imapclient.Clear, AllowCleartext: true, User: imaptest.User, Timeout: 20 * time.Second},
		Folder: "to-" + user, Credentials: credentials, Spool: folder,
	})
	if err != nil {
		return collect.Account{}, err
	}
	maildir, err := sink.NewMaildir(filepath.Join(folder, user), sink.MaildirOptions{CRLF: true})
	if err != nil {
		return collect.Account{}, err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(user, "u"))
	return collect.Account{
		Name: user, Source: source, Rules: collect.Rules{Delete: true, Trace: n%2 == 0}, Sinks: []collect.Sink{maildir, there},
	}, err
}

// An imapYard has a server and a journal for many accounts.
type imapYard struct {
	srv     *imaptest.Server
	folder  string
	journal *collect.Journal
	all     []letter
}

func newIMAPYard(t *testing.T) *imapYard {
	t.Helper()
	y := openIMAPYard(t, t.TempDir())
	y.srv = imaptest.Start(t, imaptest.Options{})
	return y
}

// openIMAPYard opens the journal in a folder.
func openIMAPYard(t *testing.T, folder string) *imapYard {
	t.Helper()
	y := &imapYard{folder: folder, all: messages(3)}
	ctx := context.Background()
	db, err := catalog.Open(ctx, filepath.Join(y.folder, "catalog.db"), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if y.journal, err = collect.NewJournal(ctx, db); err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *imapYard) add(t *testing.T, user string) {
	t.Helper()
	y.srv.Make(t, "from-"+user)
	for _, l := range y.all {
		y.srv.Add(t, "from-"+user, l.body, time.Unix(1_700_000_000, 0))
	}
}

// run runs the account in this process.
func (y *imapYard) run(t *testing.T, user string) error {
	t.Helper()
	a, err := imapAccount(y.srv.Addr, user, y.folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Sinks[1].Close() }()
	_, err = collect.Run(t.Context(), a, collect.Options{Journal: y.journal, LockFolder: filepath.Join(y.folder, "running")})
	return err
}

// count compares what arrived with what there was: lost in either place, twice in the Maildir, twice in the folder.
func (y *imapYard) count(t *testing.T, user string) (lost, duplicates, twice int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(y.folder, user, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var maildir, folder []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		maildir = append(maildir, string(text))
	}
	c, err := imapclient.Dial(t.Context(), imapclient.Options{
		Addr: y.srv.Addr, Security: imapclient.Clear, AllowCleartext: true, User: imaptest.User, Password: imaptest.Password,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	f, err := c.Examine(t.Context(), "to-"+user)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		body, err := c.Fetch(t.Context(), m.UID, imapclient.Whole)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		folder = append(folder, string(text))
	}
	for i, place := range [][]string{maildir, folder} {
		for _, l := range y.all {
			n := 0
			for _, text := range place {
				if strings.HasSuffix(text, l.body) {
					n++
				}
			}
			switch {
			case n == 0:
				lost++
			case i == 0:
				duplicates += n - 1
			default:
				twice += n - 1
			}
		}
	}
	return lost, duplicates, twice
}

// Connections by IMAP, of source and sink, are cut after each octet that the server sends in a run. After a second run
// everything is there once, and nothing is left at the server.
func TestIMAPCutAtEveryOctet(t *testing.T) {
	t.Parallel()
	y := newIMAPYard(t)
	sweep := func(n int, after int64) int64 {
		user := fmt.Sprintf("u%d", n)
		y.add(t, user)
		var sent atomic.Int64
		y.srv.Wrap(func(c net.Conn) net.Conn {
			return &killing{Conn: c, sent: &sent, at: after, kill: func() { _ = c.Close() }}
		})
		_ = y.run(t, user) // fails, or not, as the fault has it
		total := sent.Load()
		y.srv.Wrap(nil)
		for range 2 { // what was deleted without a confirmation is asked for again
			if err := y.run(t, user); err != nil {
				t.Fatalf("after %d octets: second run: %v", after, err)
			}
		}
		if l, d, tw := y.count(t, user); l+d+tw > 0 || y.srv.Count(t, "from-"+user) != 0 {
			t.Errorf("after %d octets: lost %d, duplicates %d, in the folder twice %d, left %d", after, l, d, tw, y.srv.Count(t, "from-"+user))
		}
		return total
	}
	total := sweep(1_000_000, math.MaxInt64)
	step, points := int64(7*stride(t)), 0
	for n := int64(1); n <= total; n += step {
		sweep(int(n), n)
		points++
	}
	t.Logf("%d octets, %d points: lost 0, duplicates 0", total, points)
}

// The real collector is killed with SIGKILL while it fetches from one folder into another and a Maildir: before each of its
// steps and after octets of the server. POSTAMT_KILLS is how many processes are started, by default 120, with -short 30.
func TestIMAPKilledAnywhere(t *testing.T) {
	t.Parallel()
	runs := 120
	if testing.Short() {
		runs = 30
	}
	if n, err := strconv.Atoi(os.Getenv("POSTAMT_KILLS")); err == nil {
		runs = n
	}
	y := newIMAPYard(t)
	child := func(user string, step int, octet int64) (steps int, octets int64, killed bool) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestIMAPChild$")
		cmd.Env = append(os.Environ(), envIMAP+"="+y.srv.Addr, envUser+"="+user, envFolder+"="+y.folder, envStep+"="+strconv.Itoa(step))
		var out, fault bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &fault
		var sent atomic.Int64
		ready := make(chan struct{})
		y.srv.Wrap(func(c net.Conn) net.Conn {
			return &killing{Conn: c, sent: &sent, at: octet, kill: func() {
				<-ready
				_ = cmd.Process.Kill()
			}}
		})
		defer y.srv.Wrap(nil)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		close(ready)
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			return 0, sent.Load(), true
		}
		if err != nil {
			t.Fatalf("collector of %s: %v\n%s", user, err, fault.String())
		}
		if _, err := fmt.Sscanf(out.String(), "%d steps", &steps); err != nil {
			t.Fatalf("%v: %q", err, out.String())
		}
		return steps, sent.Load(), false
	}
	y.add(t, "u1000000")
	steps, octets, _ := child("u1000000", 0, 0)
	if steps < 20 || octets < 1000 {
		t.Fatalf("a whole run has %d steps and %d octets", steps, octets)
	}
	hits, lost, duplicates, twice := 0, 0, 0, 0
	for i := range runs {
		user := fmt.Sprintf("u%d", i+1)
		y.add(t, user)
		step, octet := 0, int64(0)
		if i%2 == 0 {
			step = i/2%steps + 1
		} else {
			octet = 1 + int64(i)*997%octets // a prime: in time every octet
		}
		if _, _, killed := child(user, step, octet); killed {
			hits++
		}
		for deadline := time.Now().Add(20 * time.Second); ; {
			err := y.run(t, user)
			if err == nil {
				break
			}
			if collect.Classify(err) != collect.Busy || time.Now().After(deadline) {
				t.Fatalf("run of %s after the kill: %v", user, err)
			}
		}
		l, d, tw := y.count(t, user)
		if l+d > 0 || tw > 1 || y.srv.Count(t, "from-"+user) != 0 {
			t.Errorf("killed at step %d, octet %d: lost %d, duplicates %d, in flight twice %d, left %d", step, octet, l, d, tw, y.srv.Count(t, "from-"+user))
		}
		lost, duplicates, twice = lost+l, duplicates+d, twice+tw
	}
	t.Logf("%d runs, %d killed, steps %d, octets %d: lost %d, duplicates %d; twice in the IMAP folder: %d", runs, hits, steps, octets, lost, duplicates, twice)
	if hits < runs*3/4 {
		t.Errorf("only %d of %d were killed", hits, runs)
	}
}
