package storetest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/mailstore"
)

const (
	// alice and bob are maildrops.
	alice mailstore.DropID = 11
	bob   mailstore.DropID = 12
)

// window is the undelete window of the stores under test.
const window = 10 * 24 * time.Hour

// A clock goes only when a test says so. It starts at the real time, which is what the dates of files are compared with.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Now().Truncate(time.Second).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// A fixture is a folder for one store, and what a test needs around it.
type fixture struct {
	open   Opener
	dir    string
	bodies string // the folder of bodies
	clock  *clock
	cfg    Config
}

func newFixture(t testing.TB, open Opener) *fixture {
	t.Helper()
	f := &fixture{open: open, dir: t.TempDir(), clock: newClock()}
	f.bodies = filepath.Join(f.dir, "bodies")
	fsys, err := body.Dir(f.bodies)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg = Config{Bodies: fsys, Now: f.clock.now, Window: window}
	return f
}

// store opens the store, and closes it at the end of the test.
func (f *fixture) store(t testing.TB) mailstore.Store {
	t.Helper()
	s, err := f.open(f.dir, f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// A tester is what both *testing.T and *rapid.T are.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// try delivers text to maildrops.
func try(s mailstore.Store, env mailstore.Envelope, text string, drops ...mailstore.DropID) ([]mailstore.Receipt, error) {
	d, err := s.Begin(background, env)
	if err != nil {
		return nil, err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, text); err != nil {
		return nil, err
	}
	to := make([]mailstore.Recipient, len(drops))
	for i, id := range drops {
		to[i] = mailstore.Recipient{Drop: id, Address: address(id)}
	}
	return d.Commit(background, to)
}

func address(id mailstore.DropID) string { return fmt.Sprintf("drop%d@example.org", id) }

// deliver delivers text to maildrops, which must succeed, and returns the unique-id in the first of them.
func deliver(t tester, s mailstore.Store, text string, drops ...mailstore.DropID) string {
	t.Helper()
	receipts, err := try(s, mailstore.Envelope{Sender: "sender@example.com"}, text, drops...)
	if err != nil {
		t.Fatalf("delivering to %v: %v", drops, err)
	}
	if len(receipts) != len(drops) {
		t.Fatalf("%d receipts for %d recipients", len(receipts), len(drops))
	}
	for i, r := range receipts {
		checkUID(t, r.UID)
		if r.Duplicate {
			t.Errorf("receipt %d says duplicate", i)
		}
	}
	return receipts[0].UID
}

func checkUID(t tester, uid string) {
	t.Helper()
	if len(uid) < 1 || len(uid) > 70 || strings.ContainsFunc(uid, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		t.Errorf("%q is not a unique-id", uid)
	}
}

// openDrop opens a maildrop, which must succeed.
func openDrop(t tester, s mailstore.Store, id mailstore.DropID, view mailstore.View) mailstore.Drop {
	t.Helper()
	d, err := s.Open(background, id, view)
	if err != nil {
		t.Fatalf("opening maildrop %d: %v", id, err)
	}
	return d
}

// closeDrop closes a maildrop, which must succeed.
func closeDrop(t tester, d mailstore.Drop) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Errorf("closing a maildrop: %v", err)
	}
}

// A message is what a session sees of one.
type message struct{ uid, text string }

// read returns what is in an open maildrop, and checks that everything the store says of it agrees.
func read(t tester, d mailstore.Drop) []message {
	t.Helper()
	var list []message
	var octets int64
	seen := map[string]bool{}
	for i := range d.Len() {
		uid := string(d.AppendUID([]byte("+OK "), i))
		if !strings.HasPrefix(uid, "+OK ") {
			t.Fatalf("AppendUID does not append: %q", uid)
		}
		uid = uid[4:]
		checkUID(t, uid)
		if seen[uid] {
			t.Errorf("unique-id %s is there twice", uid)
		}
		seen[uid] = true
		octets += d.Size(i)
		list = append(list, message{uid, readBody(t, d, i, uid)})
	}
	if d.Octets() != octets {
		t.Errorf("Octets is %d, the sizes add up to %d", d.Octets(), octets)
	}
	return list
}

// readBody reads message i and checks every fact of it.
func readBody(t tester, d mailstore.Drop, i int, uid string) string {
	t.Helper()
	b, err := d.Body(background, i)
	if err != nil {
		t.Fatalf("opening message %d: %v", i, err)
	}
	text, err := io.ReadAll(b.R)
	if err != nil {
		t.Fatalf("reading message %d: %v", i, err)
	}
	if err := b.R.Close(); err != nil {
		t.Errorf("closing message %d: %v", i, err)
	}
	info, err := d.Info(background, i)
	if err != nil {
		t.Fatalf("asking for message %d: %v", i, err)
	}
	facts, err := body.Measure(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("measuring message %d: %v", i, err)
	}
	want := mailstore.Info{
		UID: uid, Size: int64(len(text)), Header: facts.Header, Wire: facts.Wire, SHA256: sha256.Sum256(text),
		Received: info.Received, Sender: info.Sender, Recipient: info.Recipient,
	}
	if info != want {
		t.Errorf("message %d: Info is %+v, want %+v", i, info, want)
	}
	if d.Size(i) != info.Size || b.Size != info.Size || b.Header != info.Header || b.Wire != info.Wire {
		t.Errorf("message %d: the listing says %d octets, the body %+v, the catalog %+v", i, d.Size(i), b, info)
	}
	return string(text)
}

// contents opens a maildrop shared, reads it and closes it.
func contents(t tester, s mailstore.Store, id mailstore.DropID) []message {
	t.Helper()
	d := openDrop(t, s, id, mailstore.View{Shared: true})
	defer closeDrop(t, d)
	return read(t, d)
}

// remove opens a maildrop, deletes messages, and closes it.
func remove(t tester, s mailstore.Store, id mailstore.DropID, deleted ...int) {
	t.Helper()
	d := openDrop(t, s, id, mailstore.View{})
	defer closeDrop(t, d)
	if err := d.Update(background, mailstore.Update{Deleted: deleted}); err != nil {
		t.Fatalf("deleting %v from maildrop %d: %v", deleted, id, err)
	}
}

// texts returns the texts of messages, and uids their unique-ids.
func texts(list []message) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.text
	}
	return out
}

func uids(list []message) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.uid
	}
	return out
}
