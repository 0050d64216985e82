package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/postamt/postamt/bench/internal/mailgen"
	"github.com/postamt/postamt/bench/internal/strictpop3"
)

var scenarios = map[string]func(*worker) error{
	"connect":         (*worker).quit, // greeting and QUIT
	"tls-handshake":   (*worker).quit, // the same after a handshake
	"login":           (*worker).login,
	"check":           (*worker).check,
	"drain":           (*worker).drain,
	"drain-pipelined": (*worker).drainPipelined,
	"top":             (*worker).top,
}

func scenarioNames() []string {
	return []string{"connect", "tls-handshake", "login", "check", "drain", "drain-pipelined", "top", "idle", "held", "delete", "deliver"}
}

var tlsConfig *tls.Config

// worker runs sessions one after the other and keeps its buffers between them.
type worker struct {
	t        *tally
	scenario string
	user     string // pattern of the names of its users

	c       *strictpop3.Conn
	buf     []byte
	listing []byte
	msg     []byte
	sizes   []int64
	uids    map[string]bool

	totals, logins []time.Duration
}

func newWorker(t *tally, scenario, user string) *worker {
	return &worker{t: t, scenario: scenario, user: user, buf: make([]byte, 128<<10)}
}

// report hands the worker's latencies over.
func (w *worker) report() {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.t.totals = append(w.t.totals, w.totals...)
	w.t.logins = append(w.t.logins, w.logins...)
}

// session runs one session of the scenario as user n.
func (w *worker) session(n int) error {
	start := time.Now()
	c, err := w.open(n)
	if err != nil {
		return err
	}
	defer c.Close()
	w.c = c
	if err := scenarios[w.scenario](w); err != nil {
		return fmt.Errorf("%s: %w", w.scenario, err)
	}
	w.totals = append(w.totals, time.Since(start))
	w.t.ops.Add(1)
	w.t.bytes.Add(c.Octets())
	return nil
}

// open connects and, unless the scenario is about less, signs in as user n.
func (w *worker) open(n int) (*strictpop3.Conn, error) {
	start := time.Now()
	c, err := dial(w.buf)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(start.Add(*timeout))
	if w.scenario != "connect" && w.scenario != "tls-handshake" {
		if err := auth(c, w.user, n); err != nil {
			c.Close()
			return nil, err
		}
		w.logins = append(w.logins, time.Since(start))
	}
	return c, nil
}

var dials atomic.Int64

// dial connects, runs the handshake if any, and reads the greeting.
func dial(buf []byte) (*strictpop3.Conn, error) {
	d := net.Dialer{Timeout: *timeout}
	if *srcs > 1 {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+dials.Add(1)%int64(*srcs)))}
	}
	nc, err := d.Dial("tcp", *addr)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(*timeout))
	c := strictpop3.New(nc, buf)
	err = func() error {
		if *useTLS {
			if err := c.StartTLS(tlsConfig); err != nil {
				return err
			}
		}
		if _, err := c.OK(); err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if *stls {
			if _, err := c.Cmd("STLS"); err != nil {
				return err
			}
			return c.StartTLS(tlsConfig)
		}
		return nil
	}()
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// auth signs in as user n of a pattern.
func auth(c *strictpop3.Conn, pattern string, n int) error {
	name := fmt.Sprintf(pattern, *first+n)
	if *useScram {
		return scram(c, name, *pass)
	}
	if _, err := c.Cmd("USER " + name); err != nil {
		return err
	}
	_, err := c.Cmd("PASS " + *pass)
	return err
}

func (w *worker) quit() error { return w.c.Quit() }

func (w *worker) login() error {
	rest, err := w.c.Cmd("STAT")
	if err != nil {
		return err
	}
	count, _, err := strictpop3.Stat(rest)
	if err == nil {
		err = expected(count)
	}
	if err != nil {
		return err
	}
	return w.c.Quit()
}

func expected(count int) error {
	if *expect >= 0 && count != *expect {
		return fmt.Errorf("%d messages in the mailbox, -expect %d", count, *expect)
	}
	return nil
}

func (w *worker) collect(b []byte) { w.listing = append(w.listing, b...) }

// read takes the status line and the content of a multi-line answer into w.listing.
func (w *worker) read(cmd string) error {
	w.listing = w.listing[:0]
	_, err := w.c.OK()
	if err == nil {
		_, err = w.c.Multi(w.collect)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

func (w *worker) check() error {
	cmds := []string{"CAPA", "STAT", "UIDL", "LIST", "QUIT"}
	if *noCapa {
		cmds = cmds[1:]
	}
	if *pipeline {
		for _, cmd := range cmds {
			w.c.Put(cmd)
		}
		if err := w.c.Flush(); err != nil {
			return err
		}
	}
	count, octets := 0, int64(0)
	for _, cmd := range cmds {
		if !*pipeline {
			w.c.Put(cmd)
			if err := w.c.Flush(); err != nil {
				return err
			}
		}
		var err error
		switch cmd {
		case "CAPA":
			err = w.read(cmd)
		case "STAT":
			var rest []byte
			if rest, err = w.c.OK(); err == nil {
				count, octets, err = strictpop3.Stat(rest)
			}
		case "UIDL":
			if err = w.read(cmd); err == nil {
				err = w.parseUIDL(count)
			}
		case "LIST":
			if err = w.read(cmd); err == nil {
				err = w.parseList(count, octets)
			}
		case "QUIT":
			if _, err = w.c.OK(); err == nil {
				err = w.c.Closed()
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", cmd, err)
		}
	}
	w.t.msgs.Add(int64(count))
	return expected(count)
}

func (w *worker) parseUIDL(count int) error {
	n := 0
	if *verify {
		w.uids = make(map[string]bool, count)
	}
	err := strictpop3.EachNumbered(w.listing, func(_ int, uid []byte) error {
		n++
		if len(uid) > 70 {
			return fmt.Errorf("unique-id of %d octets", len(uid))
		}
		if *verify {
			if w.uids[string(uid)] {
				return fmt.Errorf("unique-id %q twice", uid)
			}
			w.uids[string(uid)] = true
		}
		return nil
	})
	if err == nil && n != count {
		err = fmt.Errorf("%d messages, STAT said %d", n, count)
	}
	return err
}

// parseList fills w.sizes; count < 0 means that no STAT went before.
func (w *worker) parseList(count int, octets int64) error {
	w.sizes = w.sizes[:0]
	sum := int64(0)
	err := strictpop3.EachNumbered(w.listing, func(_ int, v []byte) error {
		n, err := strictpop3.Size(v)
		w.sizes = append(w.sizes, n)
		sum += n
		return err
	})
	if err != nil || count < 0 || len(w.sizes) == count && sum == octets {
		return err
	}
	w.t.sizeWrong.Add(1)
	if len(w.sizes) != count || !*laxSize {
		return fmt.Errorf("%d messages of %d octets, STAT said %d of %d", len(w.sizes), sum, count, octets)
	}
	return nil
}

func (w *worker) list() error {
	w.c.Put("LIST")
	if err := w.c.Flush(); err != nil {
		return err
	}
	if err := w.read("LIST"); err != nil {
		return err
	}
	return w.parseList(-1, 0)
}

// retrieve sends one command for each message, at most win in flight, and reads the answers.
func (w *worker) retrieve(cmd, tail string, win int, answer func(i int) error) error {
	if err := w.list(); err != nil {
		return err
	}
	sent := 0
	for i := range w.sizes {
		if sent-i <= win/2 {
			for sent < len(w.sizes) && sent-i < win {
				sent++
				w.c.PutN(cmd, sent, tail)
			}
			if err := w.c.Flush(); err != nil {
				return err
			}
		}
		_, err := w.c.OK()
		if err == nil {
			err = answer(i)
		}
		if err != nil {
			return fmt.Errorf("%s %d: %w", cmd, i+1, err)
		}
	}
	w.t.msgs.Add(int64(len(w.sizes)))
	if err := expected(len(w.sizes)); err != nil {
		return err
	}
	return w.c.Quit()
}

func (w *worker) drain() error          { return w.retrieve("RETR", "", 1, w.message) }
func (w *worker) drainPipelined() error { return w.retrieve("RETR", "", *window, w.message) }

func (w *worker) top() error {
	win := 1
	if *pipeline {
		win = *window
	}
	return w.retrieve("TOP", " 0", win, func(int) error {
		w.msg = w.msg[:0]
		_, err := w.c.Multi(func(b []byte) { w.msg = append(w.msg, b...) })
		if err == nil && !slices.Equal(w.msg[max(0, len(w.msg)-4):], []byte("\r\n\r\n")) {
			err = errors.New("header does not end with an empty line")
		}
		return err
	})
}

func (w *worker) message(i int) error {
	var emit func([]byte)
	if *verify {
		w.msg = w.msg[:0]
		emit = func(b []byte) { w.msg = append(w.msg, b...) }
	}
	n, err := w.c.Multi(emit)
	if err != nil {
		return err
	}
	if n != w.sizes[i] {
		w.t.sizeWrong.Add(1)
		if !*laxSize {
			return fmt.Errorf("%d octets, LIST said %d", n, w.sizes[i])
		}
	}
	if *verify {
		return mailgen.Check(w.msg)
	}
	return nil
}
