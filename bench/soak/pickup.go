package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// A wire is how a session is protected.
type wire int

const (
	plain wire = iota
	implicit
	stls
)

func anyWire() wire { return []wire{plain, plain, implicit, stls}[rand.IntN(4)] }

var clientTLS = &tls.Config{InsecureSkipVerify: true} // the daemon's own certificate, on the loopback

// dial connects to addr and reads the greeting.
func dial(addr string, w wire, buf []byte) (*strictpop3.Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, sessionTime)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(sessionTime))
	c := strictpop3.New(nc, buf)
	err = func() error {
		if w == implicit {
			if err := c.StartTLS(clientTLS); err != nil {
				return err
			}
		}
		if _, err := c.OK(); err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if w == stls {
			if _, err := c.Cmd("STLS"); err != nil {
				return err
			}
			return c.StartTLS(clientTLS)
		}
		return nil
	}()
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// address is where a session of that kind goes.
func (s *soak) address(w wire) string {
	if w == implicit {
		return s.d.pop3s
	}
	return s.d.pop3
}

func signIn(c *strictpop3.Conn, user, pass string) error {
	if _, err := c.Cmd("USER " + user); err != nil {
		return err
	}
	_, err := c.Cmd("PASS " + pass)
	return err
}

// open signs in to b, whose session lock is held. The server may need a moment to notice that the last session was cut.
func (s *soak) open(b *box, w wire, buf []byte) (*strictpop3.Conn, error) {
	for end := time.Now().Add(sessionTime); ; time.Sleep(10 * time.Millisecond) {
		c, err := dial(s.address(w), w, buf)
		if err != nil {
			return nil, err
		}
		if err = signIn(c, b.user, password); err == nil {
			return c, nil
		}
		_ = c.Close()
		if !refused(err, "[IN-USE]") || time.Now().After(end) {
			return nil, err
		}
		s.count.inUse.Add(1)
	}
}

// refused tells whether err is an -ERR with that in it.
func refused(err error, with string) bool {
	return err != nil && strings.Contains(err.Error(), `"-ERR `) && strings.Contains(err.Error(), with)
}

// pickUp runs sessions of all kinds until ctx ends.
func (s *soak) pickUp(ctx context.Context) {
	buf := make([]byte, 64<<10)
	kinds := []struct {
		weight int
		run    func(*visit) error
	}{
		{40, (*visit).poll},
		{30, (*visit).fetch},
		{12, (*visit).fetchAndDelete},
		{4, (*visit).dropWithMarks},
		{3, (*visit).cutQuit},
		{3, (*visit).reset},
		{3, (*visit).second},
		{5, (*visit).pipelined},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	for pause(ctx, s.think(60*time.Millisecond)) {
		b := s.boxes[rand.IntN(len(s.boxes))]
		if !b.session.TryLock() {
			continue
		}
		n := rand.IntN(total)
		for _, k := range kinds {
			if n -= k.weight; n < 0 {
				s.try("pick up", func() error { return s.visit(b, buf, k.run) })
				break
			}
		}
		b.session.Unlock()
	}
}

// A visit is one session with one maildrop.
type visit struct {
	s    *soak
	b    *box
	c    *strictpop3.Conn
	must map[uint64]bool
	uids []string
	size []int64
	msg  []byte
}

func (s *soak) visit(b *box, buf []byte, run func(*visit) error) error {
	v := &visit{s: s, b: b, must: b.expected()}
	var err error
	if v.c, err = s.open(b, anyWire(), buf); err != nil {
		return err
	}
	defer v.c.Close()
	s.count.sessions.Add(1)
	return run(v)
}

// list reads STAT, UIDL and LIST and compares them with each other and with the ledger.
func (v *visit) list() error {
	rest, err := v.c.Cmd("STAT")
	if err != nil {
		return err
	}
	count, octets, err := strictpop3.Stat(rest)
	if err != nil {
		return err
	}
	content, err := v.multi("UIDL")
	if err == nil {
		err = strictpop3.EachNumbered(content, func(_ int, uid []byte) error {
			v.uids = append(v.uids, string(uid))
			return nil
		})
	}
	if err != nil {
		return err
	}
	if content, err = v.multi("LIST"); err == nil {
		err = strictpop3.EachNumbered(content, func(_ int, size []byte) error {
			n, err := strictpop3.Size(size)
			v.size = append(v.size, n)
			octets -= n
			return err
		})
	}
	if err != nil {
		return err
	}
	if len(v.uids) != count || len(v.size) != count || octets != 0 {
		return fmt.Errorf("%s: STAT, UIDL and LIST disagree: %d, %d, %d messages, %d octets apart", v.b.user, count, len(v.uids), len(v.size), octets)
	}
	return v.b.listing(v.must, v.uids)
}

func (v *visit) multi(cmd string) ([]byte, error) {
	if _, err := v.c.Cmd(cmd); err != nil {
		return nil, err
	}
	v.msg = v.msg[:0]
	_, err := v.c.Multi(func(b []byte) { v.msg = append(v.msg, b...) })
	return v.msg, err
}

// retrieve fetches and checks up to most messages, in order, from a random one on, and returns their ids by number.
func (v *visit) retrieve(most int) (ids []uint64, from int, err error) {
	if err := v.list(); err != nil {
		return nil, 0, err
	}
	if len(v.uids) == 0 {
		return nil, 0, nil
	}
	if len(v.uids) > most {
		from = rand.IntN(len(v.uids) - most + 1)
	}
	for i := from; i < min(from+most, len(v.uids)); i++ {
		if _, err := v.multi(fmt.Sprintf("RETR %d", i+1)); err != nil {
			return nil, 0, err
		}
		id, err := v.check(i)
		if err != nil {
			return nil, 0, err
		}
		ids = append(ids, id)
	}
	return ids, from, nil
}

// check compares what was just read as message i.
func (v *visit) check(i int) (uint64, error) {
	if int64(len(v.msg)) != v.size[i] {
		return 0, fmt.Errorf("%s: message of %d octets, LIST said %d", v.b.user, len(v.msg), v.size[i])
	}
	v.s.count.fetched.Add(1)
	v.s.count.octets.Add(int64(len(v.msg)))
	return v.b.received(v.uids[i], v.msg)
}

// atOnce is how many messages a visit fetches at most.
const atOnce = 40

func (v *visit) poll() error {
	if _, err := v.multi("CAPA"); err != nil {
		return err
	}
	if err := v.list(); err != nil {
		return err
	}
	return v.c.Quit()
}

func (v *visit) fetch() error {
	if _, _, err := v.retrieve(atOnce); err != nil {
		return err
	}
	return v.c.Quit()
}

// markSome fetches messages and marks most of them as deleted.
func (v *visit) markSome() ([]uint64, error) {
	ids, from, err := v.retrieve(atOnce)
	if err != nil {
		return nil, err
	}
	marked := some(ids, 0.8)
	for _, id := range marked {
		if _, err := v.c.Cmd(fmt.Sprintf("DELE %d", from+slices.Index(ids, id)+1)); err != nil {
			return nil, err
		}
	}
	return marked, nil
}

func (v *visit) fetchAndDelete() error {
	ids, err := v.markSome()
	if err != nil {
		return err
	}
	v.b.mark(ids, deleting)
	if _, err := v.c.Cmd("QUIT"); err != nil {
		return err
	}
	v.b.mark(ids, deleted)
	v.s.count.deleted.Add(int64(len(ids)))
	return v.c.Closed()
}

// dropWithMarks ends without QUIT: nothing is deleted.
func (v *visit) dropWithMarks() error {
	_, err := v.markSome()
	return errors.Join(err, v.c.Close())
}

// cutQuit does not wait for the reply to QUIT.
func (v *visit) cutQuit() error {
	ids, err := v.markSome()
	if err != nil {
		return err
	}
	v.b.mark(ids, deleting)
	v.c.Put("QUIT")
	return errors.Join(v.c.Flush(), v.c.Close())
}

// reset takes all marks back.
func (v *visit) reset() error {
	if _, err := v.markSome(); err != nil {
		return err
	}
	if _, err := v.c.Cmd("RSET"); err != nil {
		return err
	}
	return v.c.Quit()
}

// second tries to get in a second time.
func (v *visit) second() error {
	c, err := dial(v.s.d.pop3, plain, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := signIn(c, v.b.user, password); !refused(err, "[IN-USE]") {
		return fmt.Errorf("%s: a second session got in: %v", v.b.user, err)
	}
	return errors.Join(c.Quit(), v.poll())
}

// pipelined sends all RETR at once.
func (v *visit) pipelined() error {
	if err := v.list(); err != nil {
		return err
	}
	n := min(len(v.uids), atOnce)
	for i := range n {
		v.c.PutN("RETR", i+1, "")
	}
	v.c.Put("QUIT")
	if err := v.c.Flush(); err != nil {
		return err
	}
	for i := range n {
		if _, err := v.c.OK(); err != nil {
			return err
		}
		v.msg = v.msg[:0]
		if _, err := v.c.Multi(func(b []byte) { v.msg = append(v.msg, b...) }); err != nil {
			return err
		}
		if _, err := v.check(i); err != nil {
			return err
		}
	}
	if _, err := v.c.OK(); err != nil {
		return err
	}
	return v.c.Closed()
}
