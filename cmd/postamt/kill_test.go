package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// The daemon is killed with SIGKILL again and again while mail comes in and goes out. In the end every message is
// accounted for: what was acknowledged is there exactly once, with the same octets and the same unique-id as ever, unless
// a QUIT that deleted it was acknowledged, and then it never comes back. What was not acknowledged is there once or not.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	kills := 20
	if testing.Short() {
		kills = 3
	}
	d := newDaemon(t)
	users := []string{"u0", "u1", "u2"}
	for _, u := range users {
		d.must(t, "secret-"+u+"\n", "account", "add", "--password-stdin", u)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := &ledger{entries: make(map[string]*entry), uids: make(map[string]string), events: make(chan struct{}, 1024)}

	for kill := range kills {
		d.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for range 3 {
			load.Go(func() { deliverLoad(ctx, t, d.lmtp, users, l) })
		}
		for _, u := range users {
			load.Go(func() { pickUpLoad(ctx, t, d.pop3, u, l) })
		}
		l.wait(t, 1+random.IntN(150), kill == kills-1)
		if log, err := d.end(t, syscall.SIGKILL); err == nil {
			t.Errorf("killed, and ended well?\n%s", log)
		}
		cancel()
		load.Wait()
	}

	d.start(t)
	for _, u := range users {
		final(t, d.pop3, u, l)
	}
	d.stop(t)
	l.settle(t)
	if out, err := d.postamt(t, "", "store", "check"); err != nil {
		t.Errorf("store check: %v\n%s", err, out)
	}
}

// A ledger knows what was said about each message.
type ledger struct {
	mu      sync.Mutex
	next    int
	entries map[string]*entry
	uids    map[string]string // by user and unique-id: the message that has it
	events  chan struct{}
	deleted bool // that of a message was acknowledged
}

type deletion int

const (
	kept    deletion = iota
	perhaps          // QUIT was sent and not answered
	certain          // QUIT was answered with +OK
)

type entry struct {
	acked   bool
	deleted deletion
	uid     string
	final   int
}

// event says that something was acknowledged.
func (l *ledger) event() {
	select {
	case l.events <- struct{}{}:
	default:
	}
}

// wait waits for n acknowledgements, and, if that is wanted, until there was one of a deletion.
func (l *ledger) wait(t *testing.T, n int, deletion bool) {
	t.Helper()
	enough := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.deleted || !deletion
	}
	for ; n > 0 || !enough(); n-- {
		select {
		case <-l.events:
		case <-time.After(time.Minute):
			t.Fatal("the load makes no progress")
		}
	}
}

// create makes up a message and puts it down as not acknowledged.
func (l *ledger) create() (id string, raw []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	id = fmt.Sprintf("m%d", l.next)
	l.entries[id] = new(entry)
	return id, content(id)
}

// content is what a message of that id consists of: some are small, some large.
func content(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	size := int(sum[0])
	if sum[1] < 20 {
		size *= 1000
	}
	line := fmt.Sprintf("%x %s\r\n", sum, id)
	return []byte("X-Id: " + id + "\r\n\r\n" + strings.Repeat(line, 1+size/len(line)))
}

func (l *ledger) acknowledged(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[id].acked = true
	l.event()
}

// seen notes that a message is in a maildrop, and checks octets, unique-id, and that it was not deleted.
func (l *ledger) seen(user, uid string, body []byte) (id string, err error) {
	first, _, _ := bytes.Cut(body, []byte("\r\n"))
	id = strings.TrimPrefix(string(first), "X-Id: ")
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[id]
	switch {
	case e == nil:
		return "", fmt.Errorf("%s has a message that nobody sent: %.80q", user, body)
	case !bytes.Equal(body, content(id)):
		return "", fmt.Errorf("%s: octets of %s differ", user, id)
	case e.uid != "" && e.uid != uid:
		return "", fmt.Errorf("%s: unique-id of %s was %s and is %s", user, id, e.uid, uid)
	case l.uids[user+uid] != "" && l.uids[user+uid] != id:
		return "", fmt.Errorf("%s: unique-id %s was %s's and is %s's", user, uid, l.uids[user+uid], id)
	case e.deleted >= certain:
		return "", fmt.Errorf("%s: %s was deleted and is back", user, id)
	}
	if e.deleted == perhaps {
		e.deleted = kept // now we know
	}
	e.uid = uid
	l.uids[user+uid] = id
	return id, nil
}

func (l *ledger) mark(ids []string, as deletion) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.entries[id].deleted = as
	}
	if as == certain && len(ids) > 0 {
		l.deleted = true
		l.event()
	}
}

func (l *ledger) settle(t *testing.T) {
	t.Helper()
	var acked, deleted, held, unsure int
	for id, e := range l.entries {
		if e.acked {
			acked++
		}
		if e.deleted >= certain {
			deleted++
		}
		if !e.acked || e.deleted == perhaps {
			unsure++
		}
		held += e.final
		switch {
		case e.final > 1:
			t.Errorf("%s is there %d times", id, e.final)
		case e.final > 0 && e.deleted >= certain:
			t.Errorf("%s was deleted, acknowledged, and is there", id)
		case e.final == 0 && e.acked && e.deleted == kept:
			t.Errorf("%s was acknowledged, not deleted, and is lost", id)
		}
	}
	t.Logf("%d sent, %d acknowledged, %d deleted, %d there in the end, %d cut off before an answer",
		len(l.entries), acked, deleted, held, unsure)
	if acked == 0 || deleted == 0 {
		t.Error("the load did not get to acknowledge and to delete: this proved nothing")
	}
}

// deliverLoad hands in messages until the daemon dies. A refusal is a fault: there is no reason for one.
func deliverLoad(ctx context.Context, t *testing.T, addr string, users []string, l *ledger) {
	if err := deliverUntilCut(ctx, addr, users, l); err != nil {
		if _, refused := errors.AsType[*smtp.SMTPError](err); refused {
			t.Error(err)
		}
	}
}

func deliverUntilCut(ctx context.Context, addr string, users []string, l *ledger) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	c := smtp.NewClientLMTP(nc)
	defer func() { _ = c.Close() }()
	for n := 0; ctx.Err() == nil; n++ {
		id, raw := l.create()
		if err := c.Mail("load@example.com", nil); err != nil {
			return err
		}
		if err := c.Rcpt(users[n%len(users)], nil); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		if _, err := w.CloseWithLMTPResponse(); err != nil {
			return err
		}
		l.acknowledged(id)
	}
	return nil
}

// pickUpLoad retrieves and deletes messages in session after session until the daemon dies.
func pickUpLoad(ctx context.Context, t *testing.T, addr, user string, l *ledger) {
	for ctx.Err() == nil {
		if err := session(ctx, addr, user, l); err != nil {
			_, wrong := errors.AsType[*wrongError](err)
			_, refused := errors.AsType[*pop3.Error](err)
			if wrong || refused { // nobody else wants this maildrop: there is no reason to refuse anything
				t.Errorf("%s: %v", user, err)
			}
			return
		}
	}
}

// A wrongError says that the daemon did what it must not.
type wrongError struct{ err error }

func (e *wrongError) Error() string { return e.err.Error() }

func signIn(ctx context.Context, addr, user string) (*pop3client.Client, error) {
	c, err := pop3client.Dial(ctx, addr, &pop3client.Options{
		Security: pop3client.Clear, AllowCleartext: true, Mechanisms: []string{"USER"}, Timeout: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx, user, "secret-"+user); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// session reads the newest 20 messages of a maildrop and deletes two out of three.
func session(ctx context.Context, addr, user string, l *ledger) error {
	c, err := signIn(ctx, addr, user)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var ids []string
	err = each(ctx, c, user, l, 20, func(num int, id string) error {
		if sha256.Sum256([]byte(id))[2]%3 == 0 {
			return nil // stays
		}
		ids = append(ids, id)
		return c.Dele(ctx, num)
	})
	if err != nil {
		return err // cut before QUIT: nothing of it may be deleted
	}
	l.mark(ids, perhaps)
	if err := c.Quit(ctx); err != nil {
		return err
	}
	l.mark(ids, certain)
	return nil
}

// each reads the newest messages of a maildrop and checks them.
func each(ctx context.Context, c *pop3client.Client, user string, l *ledger, most int, do func(num int, id string) error) error {
	uids := make(map[int]string)
	for u, err := range c.UIDs(ctx) {
		if err != nil {
			return err
		}
		uids[u.Num] = u.UID
	}
	for num := max(1, len(uids)-most+1); num <= len(uids); num++ {
		m, err := c.Retr(ctx, num)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(m)
		if err != nil {
			return err
		}
		id, err := l.seen(user, uids[num], body)
		if err != nil {
			return &wrongError{err}
		}
		if err := do(num, id); err != nil {
			return err
		}
	}
	return nil
}

// final counts what a maildrop holds when all is over.
func final(t *testing.T, addr, user string, l *ledger) {
	t.Helper()
	c, err := signIn(t.Context(), addr, user)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	err = each(t.Context(), c, user, l, 1<<30, func(_ int, id string) error {
		l.entries[id].final++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
