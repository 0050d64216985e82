package pop3test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/sasl"
)

// TestBackendSuiteNotices runs the suite on backends that break one promise each, and wants the test for that promise to
// fail.
func TestBackendSuiteNotices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		spoil
		fails string // the names of tests that must fail
	}{
		{"nothing broken", spoil{}, ""},
		{"every password is right", spoil{password: func(_ *pop3mem.Backend, user string, _ error) (pop3server.Identity, error) {
			return pop3server.Identity{User: user}, nil
		}}, "Password"},
		{"a wrong password is a fault", spoil{password: func(_ *pop3mem.Backend, user string, err error) (pop3server.Identity, error) {
			if err != nil {
				err = errors.New("wrong")
			}
			return pop3server.Identity{User: user}, err
		}}, "Password"},
		{"unknown users are told by SCRAM", spoil{scram: func(user string, c sasl.ScramCredentials) (sasl.ScramCredentials, error) {
			if user == "nobody" {
				return c, pop3server.ErrCredentials
			}
			return c, nil
		}}, "SCRAM"},
		{"unknown users have another salt each time", spoil{scram: func(user string, c sasl.ScramCredentials) (sasl.ScramCredentials, error) {
			if user == "nobody" {
				c.Salt = sasl.NewSalt()
			}
			return c, nil
		}}, "SCRAM"},
		{"SCRAM credentials of another password", spoil{scram: func(user string, c sasl.ScramCredentials) (sasl.ScramCredentials, error) {
			return sasl.FakeScramCredentials(sasl.SHA256, nil, user, c.Iterations), nil
		}}, "SCRAM"},

		{"newest first", spoil{list: func(l *brokenList) { slices.Reverse(l.order) }}, "Listing Update"},
		{"size of one octet more", spoil{list: func(l *brokenList) { l.size = 1 }}, "Listing"},
		{"sum of one octet more", spoil{list: func(l *brokenList) { l.sum = 1 }}, "Listing"},
		{"unique-id too long", spoil{list: func(l *brokenList) { l.uid = func(string, int) string { return strings.Repeat("x", 71) } }}, "UniqueIDs"},
		{"unique-id with a space", spoil{list: func(l *brokenList) { l.uid = func(uid string, _ int) string { return uid + " " } }}, "UniqueIDs"},
		{"unique-id is the number", spoil{list: func(l *brokenList) { l.uid = func(_ string, i int) string { return strconv.Itoa(i) } }}, "UniqueIDs Update"},
		{"unique-id of the session", spoil{list: func(l *brokenList) {
			salt := string(sasl.EncodeBase64(sasl.NewSalt()))
			l.uid = func(uid string, _ int) string { return uid + salt }
		}}, "UniqueIDs NothingWithoutUpdate"},
		{"listing shows what arrives", spoil{live: true}, "Snapshot"},

		{"CRLF promised and not kept", spoil{body: func(b *pop3server.Body) { b.Form = pop3server.FormCRLF }}, "Bodies"},
		{"wire form promised and not kept", spoil{body: func(b *pop3server.Body) { b.Form = pop3server.FormWire }}, "Bodies"},
		{"body's size wrong", spoil{body: func(b *pop3server.Body) { b.Size++ }}, "Bodies"},
		{"header's end wrong", spoil{body: func(b *pop3server.Body) { b.Header = 3 }}, "Bodies"},
		{"body of the message before", spoil{shift: true}, "Listing"},
		{"body is cut", spoil{body: func(b *pop3server.Body) { b.R = io.NopCloser(io.LimitReader(b.R, 30)) }}, "Listing"},

		{"Update removes nothing", spoil{update: func(u *pop3server.Outcome, _ int) { u.Deleted = nil }}, "Update UniqueIDs"},
		{"Update removes one more", spoil{update: func(u *pop3server.Outcome, n int) {
			if len(u.Deleted) > 0 && n > 0 {
				u.Deleted = append(u.Deleted, (u.Deleted[0]+1)%n)
			}
		}}, "Update"},
		{"Update removes what was read", spoil{update: func(u *pop3server.Outcome, _ int) { u.Deleted = append(u.Deleted, u.Retrieved...) }}, "NothingUnmarked"},
		{"Close removes what was read", spoil{closeRemoves: true}, "NothingWithoutUpdate"},

		{"Close keeps the lock", spoil{keepLock: true}, "Lock"},
		{"no lock", spoil{noLock: true}, "Lock LockRace"},
		{"another error for the lock", spoil{open: func(err error) error {
			if err != nil {
				return errors.New("busy")
			}
			return nil
		}}, "Lock LockRace"},
		{"an Open given up keeps the lock", spoil{leak: true}, "LockAfterCancel"},
		{"one maildrop for all", spoil{same: true}, "AccountsApart"},
		{"a restart loses mail", spoil{forget: true}, "Restart"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, nt := range backendTests() {
				if tt.fails != "" && !slices.Contains(strings.Fields(tt.fails), nt.name) {
					continue
				}
				msg := runRecorded(t, nt, tt.spoil)
				switch {
				case tt.fails == "" && msg != "":
					t.Errorf("test %s fails on a sound backend: %s", nt.name, msg)
				case tt.fails != "" && msg == "":
					t.Errorf("test %s does not notice", nt.name)
				}
			}
		})
	}
}

// runRecorded runs one test of the suite on a broken backend and returns its first failure, or an empty string.
func runRecorded(t *testing.T, nt namedTest, s spoil) string {
	rec := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		mem := &pop3mem.Backend{Secrets: true}
		b := &backendTest{TB: rec, conn: connOf(t), BackendFixture: BackendFixture{
			Backend:    &broken{Backend: mem, spoil: s},
			AddAccount: mem.AddAccount,
			Deliver: func(user string, message []byte) error {
				_, err := mem.Deliver(user, message)
				return err
			},
			Restart: func() (pop3server.Backend, error) {
				if s.forget {
					mem = &pop3mem.Backend{}
					_ = mem.AddAccount("ann", passwordOf("ann"))
				}
				return &broken{Backend: mem, spoil: s}, nil
			},
		}}
		b.account("ann")
		nt.run(b)
	}()
	<-done
	return rec.first
}

// recorder is a testing.TB that notes failures instead of failing.
type recorder struct {
	testing.TB
	first string
}

func (r *recorder) note(format string) {
	if r.first == "" {
		r.first = format
	}
}

func (r *recorder) Error(...any)                      { r.note("Error") }
func (r *recorder) Errorf(format string, args ...any) { r.note(format) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.note(format)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) { runtime.Goexit() }

// spoil says what is broken. The zero value is a sound backend.
type spoil struct {
	password               func(*pop3mem.Backend, string, error) (pop3server.Identity, error)
	scram                  func(string, sasl.ScramCredentials) (sasl.ScramCredentials, error)
	list                   func(*brokenList)
	body                   func(*pop3server.Body)
	update                 func(*pop3server.Outcome, int)
	open                   func(error) error
	live, shift            bool
	closeRemoves, keepLock bool
	noLock, leak           bool
	same, forget           bool
}

// broken is pop3mem with a promise broken.
type broken struct {
	*pop3mem.Backend
	spoil
	mu   sync.Mutex
	open *brokenDrop // the one that a backend without lock hands out again
}

func (b *broken) Auth(c *pop3server.Conn) pop3server.Auth {
	auth := b.Backend.Auth(c)
	if b.password != nil {
		check := auth.Password
		auth.Password = func(ctx context.Context, mech, authz, user, pass string) (pop3server.Identity, error) {
			_, err := check(ctx, mech, authz, user, pass)
			return b.password(b.Backend, user, err)
		}
	}
	if b.scram != nil {
		lookup := auth.SCRAM
		auth.SCRAM = func(ctx context.Context, mech, authz, user string) (sasl.ScramCredentials, pop3server.Identity, error) {
			c, id, err := lookup(ctx, mech, authz, user)
			if err == nil {
				c, err = b.scram(user, c)
			}
			return c, id, err
		}
	}
	return auth
}

func (b *broken) Open(ctx context.Context, c *pop3server.Conn, id pop3server.Identity) (pop3server.Maildrop, error) {
	if b.same {
		id.User = "ann"
	}
	d, err := b.Backend.Open(ctx, c, id)
	if b.leak && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, pop3server.ErrInUse) && b.noLock {
		return &brokenDrop{Maildrop: b.open.Maildrop, b: b, second: true}, nil
	}
	if b.spoil.open != nil {
		err = b.spoil.open(err)
	}
	if err != nil {
		return nil, err
	}
	b.open = &brokenDrop{Maildrop: d, b: b, user: id.User}
	return b.open, nil
}

type brokenDrop struct {
	pop3server.Maildrop
	b      *broken
	user   string
	n      int
	read   []int
	second bool
}

func (d *brokenDrop) Scan(ctx context.Context) (pop3server.Listing, error) {
	list, err := d.Maildrop.Scan(ctx)
	if err != nil {
		return nil, err
	}
	d.n = list.Len()
	l := &brokenList{Listing: list, order: slices.Collect(seq(list.Len())), uid: func(uid string, _ int) string { return uid }}
	if d.b.live {
		l.len = func() int { return len(d.b.UIDs(d.user)) }
	}
	if d.b.list != nil {
		d.b.list(l)
	}
	return l, nil
}

func (d *brokenDrop) Message(ctx context.Context, i int) (pop3server.Body, error) {
	if i >= 0 && i < d.n {
		d.read = append(d.read, i)
	}
	if d.b.shift && i > 0 {
		i--
	}
	body, err := d.Maildrop.Message(ctx, i)
	if err == nil && d.b.body != nil {
		d.b.body(&body)
	}
	return body, err
}

func (d *brokenDrop) Update(ctx context.Context, u pop3server.Outcome) error {
	if d.b.update != nil {
		d.b.update(&u, d.n)
	}
	return d.Maildrop.Update(ctx, u)
}

func (d *brokenDrop) Close() error {
	if d.b.closeRemoves {
		_ = d.Maildrop.Update(context.Background(), pop3server.Outcome{Deleted: d.read})
	}
	if d.b.keepLock || d.second {
		return nil
	}
	return d.Maildrop.Close()
}

type brokenList struct {
	pop3server.Listing
	order []int
	len   func() int
	size  int64
	sum   int64
	uid   func(string, int) string
}

func (l *brokenList) Len() int {
	if l.len != nil {
		return l.len()
	}
	return l.Listing.Len()
}

func (l *brokenList) Octets() int64 {
	return l.Listing.Octets() + l.sum + l.size*int64(l.Listing.Len())
}
func (l *brokenList) Size(i int) int64 { return l.Listing.Size(l.order[i]) + l.size }

func (l *brokenList) AppendUID(dst []byte, i int) []byte {
	if i >= len(l.order) {
		return append(dst, "new"...)
	}
	return append(dst, l.uid(string(l.Listing.AppendUID(nil, l.order[i])), i)...)
}

func TestHeaderEnd(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"": 0, "a": 1, "a: b\r\n": 6, "\r\nbody": 2, "\nbody": 1, "a: b\r\n\r\nbody\r\n\r\n": 8, "a\n\nb\n\n": 3,
	} {
		if got := headerEnd([]byte(in)); got != want {
			t.Errorf("headerEnd(%q) = %d, want %d", in, got, want)
		}
	}
}
