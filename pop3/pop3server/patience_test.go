package pop3server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A slowConn takes step octets at each write, or copies them, and then meets its deadline.
type slowConn struct {
	net.Conn
	took  bytes.Buffer
	steps []int
}

func (c *slowConn) SetWriteDeadline(time.Time) error { return nil }

func (c *slowConn) next(most int) (int, error) {
	if len(c.steps) == 0 {
		return most, nil
	}
	n := min(c.steps[0], most)
	c.steps = c.steps[1:]
	return n, fmt.Errorf("write: %w", os.ErrDeadlineExceeded)
}

func (c *slowConn) Write(b []byte) (int, error) {
	n, err := c.next(len(b))
	c.took.Write(b[:n])
	return n, err
}

// ReadFrom reads more than it sends, as a copy that is no sendfile does.
func (c *slowConn) ReadFrom(r io.Reader) (int64, error) {
	b, _ := io.ReadAll(r)
	n, err := c.Write(b)
	return int64(n), err
}

// A deadline ends a reply only when the other end has acknowledged nothing since the last one.
func TestPatience(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 100)
	for _, test := range []struct {
		name   string
		steps  []int // octets that each write takes before its deadline
		queued []int // at each deadline
		socket bool
		ok     bool
	}{
		{"fast", nil, nil, true, true},
		{"taken in parts", []int{1, 300, 5}, []int{900, 900, 900}, true, true},
		{"nothing written, but acknowledged", []int{0, 0, 0, 0}, []int{900, 800, 799, 0}, true, true},
		{"stands still", []int{0, 0, 0}, []int{900, 900, 900}, true, false},
		{"stands still after a while", []int{0, 0, 10, 0}, []int{900, 800, 810, 810}, true, false},
		{"no socket", []int{10}, nil, false, false},
	} {
		p := patience{timeout: time.Minute, queued: func() (int, bool) {
			if !test.socket {
				return 0, false
			}
			q := test.queued[0]
			test.queued = test.queued[1:]
			return q, true
		}}
		for way, write := range map[string]func(*slowConn, patience) error{
			"clear": func(c *slowConn, p patience) error {
				s := sink{stream: c, patience: p}
				_, err := s.Write([]byte(text))
				return err
			},
			"file": func(c *slowConn, p patience) error {
				name := filepath.Join(t.TempDir(), "body")
				if err := os.WriteFile(name, []byte("skipped"+text), 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = f.Close() }()
				if _, err := f.Seek(int64(len("skipped")), io.SeekStart); err != nil {
					t.Fatal(err)
				}
				s := sink{stream: c, patience: p}
				_, err = s.copyFrom(f, int64(len(text)))
				return err
			},
			"TLS": func(c *slowConn, p patience) error {
				_, err := (&patientConn{Conn: c, patience: p, on: true}).Write([]byte(text))
				return err
			},
		} {
			t.Run(test.name+", "+way, func(t *testing.T) {
				queued := test.queued
				defer func() { test.queued = queued }()
				c := &slowConn{steps: test.steps}
				err := write(c, p)
				if test.ok && (err != nil || c.took.String() != text) {
					t.Errorf("%v, %d octets, the right ones: %t", err, c.took.Len(), strings.HasPrefix(text, c.took.String()))
				}
				if !test.ok && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("ended with %v", err)
				}
			})
		}
	}
}

// What was queued at a deadline of an earlier write says nothing about this one.
func TestPatienceBeginsAnew(t *testing.T) {
	t.Parallel()
	queued := 5
	p := patience{queued: func() (int, bool) { return queued, true }}
	slow := os.ErrDeadlineExceeded
	p.goOn(0, slow)
	p.goOn(10, nil)
	queued = 1000
	if !p.goOn(0, slow) {
		t.Error("no patience at the first deadline of the second write")
	}
	if p.goOn(0, slow) {
		t.Error("patience with a client that stands still")
	}
}

// A handshake has one deadline for all of it.
func TestHandshakeHasNoPatience(t *testing.T) {
	t.Parallel()
	c := &patientConn{Conn: &slowConn{steps: []int{0}}, patience: patience{queued: func() (int, bool) { return 0, true }}}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}
