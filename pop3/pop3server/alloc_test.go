package pop3server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3"
)

// scripted is a connection that says the same commands again and again and takes all replies.
type scripted struct {
	in   strings.Reader
	out  int
	drop Maildrop
}

func (s *scripted) Read(p []byte) (int, error)     { return s.in.Read(p) }
func (s *scripted) Write(p []byte) (int, error)    { s.out += len(p); return len(p), nil }
func (*scripted) Close() error                     { return nil }
func (*scripted) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (*scripted) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (*scripted) SetDeadline(time.Time) error      { return nil }
func (*scripted) SetReadDeadline(time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(time.Time) error { return nil }
func (*scripted) Auth(*Conn) Auth {
	return Auth{Password: func(context.Context, string, string, string, string) (Identity, error) {
		return Identity{User: "alice"}, nil
	}}
}
func (s *scripted) Open(context.Context, *Conn, Identity) (Maildrop, error) { return s.drop, nil }

// fixed is a maildrop of a thousand messages whose body is one reader, used again and again.
type fixed struct {
	*scripted
	text string
	form Form
	body strings.Reader
}

const fixedBody = "Subject: x\r\n\r\nhello\r\n.there\r\n"

func (f *fixed) Scan(context.Context) (Listing, error) { return f, nil }
func (*fixed) Update(context.Context, Outcome) error   { return nil }
func (f *fixed) Message(context.Context, int) (Body, error) {
	f.body.Reset(f.text)
	return Body{R: f, Form: f.form, Size: int64(len(f.text)), Header: 14}, nil
}
func (f *fixed) Read(p []byte) (int, error) { return f.body.Read(p) }

func (*fixed) Len() int         { return 1000 }
func (f *fixed) Octets() int64  { return 1000 * int64(len(f.text)) }
func (f *fixed) Size(int) int64 { return int64(len(f.text)) }
func (*fixed) AppendUID(dst []byte, i int) []byte {
	return strconv.AppendInt(append(dst, "uid-"...), int64(i), 10)
}

// remembered is fixed with bodies in memory.
type remembered struct {
	*fixed
	octets []byte
	body   bytes.Reader
}

func (m *remembered) Message(context.Context, int) (Body, error) {
	m.body.Reset(m.octets)
	return Body{R: memoryBody{&m.body}, Form: m.form, Size: int64(len(m.octets)), Header: 14}, nil
}

type memoryBody struct{ *bytes.Reader }

func (memoryBody) Close() error { return nil }

// signedInTo returns a session in the TRANSACTION state.
func (s *scripted) signedInTo(f *fixed, d Maildrop) *Conn {
	c := New(Options{Backend: s, MaxBadCommands: -1}).newConn(s, false)
	c.drop.Maildrop, c.drop.list = d, f
	c.drop.n, c.drop.octets = f.Len(), f.Octets()
	c.state = pop3.StateTransaction
	return c
}

// TestAllocations pins what a command costs in allocations, from the line to the reply.
func TestAllocations(t *testing.T) {
	tests := []struct {
		cmd  string // or several
		most float64
	}{
		{"STAT", 0},
		{"NOOP", 0},
		{"CAPA", 2}, // the names of the mechanisms
		{"LIST", 0},
		{"LIST 7", 0},
		{"UIDL", 0},
		{"UIDL 7", 0},
		{"RSET", 0},
		{"DELE 1\r\nDELE 2\r\nRSET", 1}, // room for the marks
		{"RETR 1", 0},
		{"TOP 1 0", 0},
		{"TOP 1 1", 0},
		{"XYZZY", 2},
		{"RETR 0", 2},
	}
	big := strings.Repeat(fixedBody, 10_000)
	for _, body := range []struct {
		name, text string
		form       Form
		inMemory   bool
	}{
		{"crlf", fixedBody, FormCRLF, false},
		{"wire", fixedBody, FormWire, false},
		{"memory", fixedBody, FormCRLF, true},
		{"big crlf", big, FormCRLF, false},
		{"big wire", big, FormWire, false},
	} {
		for _, tt := range tests {
			t.Run(body.name+" "+tt.cmd, func(t *testing.T) {
				nc := new(scripted)
				f := &fixed{scripted: nc, text: body.text, form: body.form}
				var drop Maildrop = f
				if body.inMemory {
					drop = &remembered{fixed: f, octets: []byte(body.text)}
				}
				c := nc.signedInTo(f, drop)
				defer c.cancel()
				lines := tt.cmd + "\r\n"
				n := testing.AllocsPerRun(100, func() {
					nc.in.Reset(lines)
					for range strings.Count(lines, "\n") {
						if err := c.next(); err != nil {
							t.Fatal(err)
						}
					}
					if err := c.flush(); err != nil {
						t.Fatal(err)
					}
				})
				if n > tt.most {
					t.Errorf("%s: %v allocations, want at most %v", tt.cmd, n, tt.most)
				}
				if nc.out == 0 {
					t.Error("no reply")
				}
			})
		}
	}
}

// TestSignInAllocations pins a connection from the greeting to the end of PASS, without what the backend costs.
func TestSignInAllocations(t *testing.T) {
	nc := new(scripted)
	nc.drop = &fixed{scripted: nc, text: fixedBody, form: FormCRLF}
	s := New(Options{Backend: nc, Cleartext: CleartextAlways})
	n := testing.AllocsPerRun(100, func() {
		nc.in.Reset("USER alice\r\nPASS secret\r\n")
		c := s.newConn(nc, false)
		c.peers = watchPeers(nil, -1)
		if err := errors.Join(c.open(), c.next(), c.next(), c.flush()); err != nil || !c.signedIn() {
			t.Fatal("not signed in", err)
		}
		c.release()
		c.cancel()
	})
	if most := 24.0; n > most {
		t.Errorf("%v allocations, want at most %v", n, most)
	}
}

// TestIdleSessionIsSmall pins what a session keeps of the heap between commands, without connection, stack and maildrop.
func TestIdleSessionIsSmall(t *testing.T) {
	const sessions = 500
	nc := new(scripted)
	nc.drop = &fixed{scripted: nc, text: fixedBody, form: FormCRLF}
	s := New(Options{Backend: nc, Cleartext: CleartextAlways, MaxConnsPerUser: -1})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // empties pools of buffers
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var held [sessions]*Conn
	before := heap()
	for i := range held {
		nc.in.Reset("USER alice\r\nPASS secret\r\n")
		c := s.newConn(nc, false)
		c.peers = watchPeers(nil, -1)
		if err := errors.Join(c.open(), c.next(), c.next(), c.flush()); err != nil || !c.signedIn() {
			t.Fatal("not signed in", err)
		}
		held[i] = c
	}
	if each := (int64(heap()) - int64(before)) / sessions; each > 1850 {
		t.Errorf("a session keeps %d octets", each)
	}
	for _, c := range held {
		c.release()
		c.cancel()
	}
}

// BenchmarkCommands measures commands without a network.
func BenchmarkCommands(b *testing.B) {
	for _, cmd := range []string{"NOOP", "STAT", "LIST", "UIDL", "RETR 1"} {
		b.Run(cmd, func(b *testing.B) {
			nc := new(scripted)
			f := &fixed{scripted: nc, text: fixedBody, form: FormWire}
			c := nc.signedInTo(f, f)
			defer c.cancel()
			line := cmd + "\r\n"
			b.ReportAllocs()
			for b.Loop() {
				nc.in.Reset(line)
				if err := c.next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ io.ReadCloser = (*fixed)(nil)
