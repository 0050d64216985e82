package pop3test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3server"
)

// A BackendFixture is a fresh backend for one test of the suite, and the ways to fill it.
type BackendFixture struct {
	// Backend is the one to be tested.
	Backend pop3server.Backend
	// AddAccount makes an account with an empty maildrop.
	AddAccount func(user, password string) error
	// Deliver puts a message into a user's maildrop, as mail that arrives, also while the maildrop is open. The backend may
	// put lines in front of it and change its line ends.
	Deliver func(user string, message []byte) error
	// Restart, if there is one, ends the backend and returns it as it is after a restart of the program, with the same
	// accounts and mail. A backend that forgets everything leaves it nil.
	Restart func() (pop3server.Backend, error)
}

// Backend tests whether a backend keeps what pop3server.Backend and its neighbours promise. newFixture is called for each
// test; it cleans up by tb.Cleanup.
func Backend(t *testing.T, newFixture func(tb testing.TB) BackendFixture) {
	t.Helper()
	for _, tt := range backendTests() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &backendTest{TB: t, BackendFixture: newFixture(t), conn: connOf(t)}
			b.account("ann")
			tt.run(b)
		})
	}
}

// A namedTest is one test of the suite.
type namedTest struct {
	name string
	run  func(*backendTest)
}

func backendTests() []namedTest {
	return []namedTest{
		{"Password", (*backendTest).password},
		{"Secret", (*backendTest).secret},
		{"SCRAM", (*backendTest).scram},
		{"EmptyMaildrop", (*backendTest).empty},
		{"Listing", (*backendTest).listing},
		{"Bodies", (*backendTest).bodies},
		{"UniqueIDs", (*backendTest).uniqueIDs},
		{"Snapshot", (*backendTest).snapshot},
		{"Update", (*backendTest).update},
		{"NothingWithoutUpdate", (*backendTest).noUpdate},
		{"NothingUnmarked", (*backendTest).unmarked},
		{"Lock", (*backendTest).lock},
		{"LockRace", (*backendTest).lockRace},
		{"LockAfterCancel", (*backendTest).cancelled},
		{"AccountsApart", (*backendTest).apart},
		{"Restart", (*backendTest).restart},
	}
}

// backendTest is one run of a test of the suite. Its methods fail the test on any error that they do not return.
type backendTest struct {
	testing.TB
	BackendFixture
	conn *pop3server.Conn
}

// account makes an account whose password is passwordOf(user).
func (b *backendTest) account(user string) {
	b.Helper()
	if err := b.AddAccount(user, passwordOf(user)); err != nil {
		b.Fatalf("AddAccount(%q): %v", user, err)
	}
}

func passwordOf(user string) string { return user + "'s Geheimnis 1 2 3" }

func (b *backendTest) deliver(messages ...string) {
	b.Helper()
	for _, m := range messages {
		if err := b.Deliver("ann", []byte(m)); err != nil {
			b.Fatalf("Deliver: %v", err)
		}
	}
}

// identify signs in. A backend without passwords can be tested if its SCRAM or Secret gives an identity.
func (b *backendTest) identify(user string) pop3server.Identity {
	b.Helper()
	auth := b.Backend.Auth(b.conn)
	var id pop3server.Identity
	var err error
	switch {
	case auth.Password != nil:
		id, err = auth.Password(b.Context(), "PASS", "", user, passwordOf(user))
	case auth.SCRAM != nil:
		_, id, err = auth.SCRAM(b.Context(), "SCRAM-SHA-256", "", user)
	case auth.Secret != nil:
		_, id, err = auth.Secret(b.Context(), "APOP", user)
	default:
		b.Skip("the backend has only mechanisms of its own, which the suite cannot speak")
	}
	if err != nil {
		b.Fatalf("signing in as %q: %v", user, err)
	}
	return id
}

// tryOpen opens a user's maildrop.
func (b *backendTest) tryOpen(user string) (pop3server.Maildrop, error) {
	b.Helper()
	return b.Backend.Open(b.Context(), b.conn, b.identify(user))
}

// openDrop opens ann's maildrop and scans it.
func (b *backendTest) openDrop() (pop3server.Maildrop, pop3server.Listing) {
	b.Helper()
	d, err := b.tryOpen("ann")
	if err != nil {
		b.Fatalf("Open: %v", err)
	}
	list, err := d.Scan(b.Context())
	if err != nil {
		b.Fatalf("Scan: %v", err)
	}
	return d, list
}

// closeDrop ends a session as pop3server does: with Update if the client said QUIT, and always with Close.
func (b *backendTest) closeDrop(d pop3server.Maildrop, quit *pop3server.Outcome) {
	b.Helper()
	if quit != nil {
		if err := d.Update(context.WithoutCancel(b.Context()), *quit); err != nil {
			b.Errorf("Update: %v", err)
		}
	}
	if err := d.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
}

// uids returns the unique-ids of a listing.
func uids(list pop3server.Listing) []string {
	out := make([]string, list.Len())
	for i := range out {
		out[i] = string(list.AppendUID(nil, i))
	}
	return out
}

// look returns the unique-ids that a session of its own finds.
func (b *backendTest) look() []string {
	b.Helper()
	d, list := b.openDrop()
	defer b.closeDrop(d, nil)
	return uids(list)
}

// connOf returns the Conn of a connection that stays open until the end of the test, for backends that want to ask it.
func connOf(t testing.TB) *pop3server.Conn {
	t.Helper()
	seen := make(chan *pop3server.Conn, 1)
	srv := pop3server.New(pop3server.Options{Backend: connBackend(seen)})
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.ServeConn(server)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		_ = srv.Close()
		<-served
	})
	if err := client.SetDeadline(time.Now().Add(TranscriptTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 512)); err != nil {
		t.Fatalf("reading the greeting: %v", err)
	}
	return <-seen
}

// connBackend passes on the Conn that it is shown, and knows nobody.
type connBackend chan *pop3server.Conn

func (b connBackend) Auth(c *pop3server.Conn) pop3server.Auth {
	b <- c
	return pop3server.Auth{}
}

func (connBackend) Open(context.Context, *pop3server.Conn, pop3server.Identity) (pop3server.Maildrop, error) {
	return nil, pop3server.ErrCredentials
}

// bodyMessages are messages of every shape, as they are delivered.
func bodyMessages() []string {
	return []string{
		"Subject: simple\r\n\r\nbody\r\n",
		"Subject: line feeds\n\nbody\n",
		"Subject: mixed\r\n\r\na\nb\r\nc\n",
		"Subject: no end\r\n\r\nbody",
		"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
		"Subject: dots and line feeds\n\n.\n..\n.x",
		"Subject: header only\r\n",
		"Subject: empty body\r\n\r\n",
		"Subject: 8-bit\r\n\r\n\xc3\xa9\xff\r\n",
		"Subject: long line\r\n\r\n" + string(bytes.Repeat([]byte("x"), 100_000)) + "\r\n",
		"Subject: large\r\n\r\n" + string(bytes.Repeat([]byte(".a line that begins with a dot\r\n"), 10_000)),
		"Subject: large, line feeds\n\n" + string(bytes.Repeat([]byte("a line\n.\n"), 20_000)),
	}
}
