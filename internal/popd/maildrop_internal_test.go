package popd

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A fakeDrop hands out one body and keeps the update it is given.
type fakeDrop struct {
	mailstore.Drop // the rest is not called
	body           mailstore.Body
	err            error
	update         mailstore.Update
	closed         int
}

func (d *fakeDrop) Body(context.Context, int) (mailstore.Body, error) { return d.body, d.err }
func (d *fakeDrop) Close() error                                      { d.closed++; return nil }
func (d *fakeDrop) Update(_ context.Context, u mailstore.Update) error {
	d.update = u
	return d.err
}

// The listing is the store's own: nothing is copied, however many messages there are.
func TestScanCopiesNothing(t *testing.T) {
	t.Parallel()
	d := &fakeDrop{}
	list, err := maildrop{d}.Scan(context.Background())
	if err != nil || list != pop3server.Listing(d) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestMessageForm(t *testing.T) {
	t.Parallel()
	r := io.NopCloser(strings.NewReader("a: b\r\n\r\nc\r\n"))
	for wire, form := range map[bool]pop3server.Form{true: pop3server.FormWire, false: pop3server.FormCRLF} {
		d := &fakeDrop{body: mailstore.Body{R: r, Size: 11, Header: 8, Wire: wire}}
		b, err := maildrop{d}.Message(context.Background(), 0)
		if err != nil || b.R != r || b.Form != form || b.Size != 11 || b.Header != 8 {
			t.Errorf("wire %t: %+v, %v", wire, b, err)
		}
	}
	b, err := maildrop{&fakeDrop{err: mailstore.ErrGone}}.Message(context.Background(), 0)
	if !errors.Is(err, pop3server.ErrGone) || b.R != nil {
		t.Errorf("gone: %+v, %v", b, err)
	}
}

func TestUpdateAndClose(t *testing.T) {
	t.Parallel()
	d := &fakeDrop{}
	m := maildrop{d}
	if err := m.Update(context.Background(), pop3server.Outcome{Deleted: []int{1, 3}, Retrieved: []int{0, 3}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mailstore.Update{Deleted: []int{1, 3}, Retrieved: []int{0, 3}}, d.update); diff != "" {
		t.Error(diff)
	}
	if err := m.Close(); err != nil || d.closed != 1 {
		t.Errorf("closed %d times, %v", d.closed, err)
	}
}

// Whatever goes wrong at signing in, nobody gets a maildrop without an account.
func TestOpenWantsAnAccount(t *testing.T) {
	t.Parallel()
	for _, subject := range []any{nil, "alice", int64(1), mailstore.DropID(0)} {
		d, err := New(Options{}).Open(context.Background(), nil, pop3server.Identity{User: "alice", Subject: subject})
		if err == nil || d != nil {
			t.Errorf("%#v: %v, %v", subject, d, err)
		}
	}
}
