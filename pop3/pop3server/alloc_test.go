package pop3server

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3"
)

// scripted is a connection that says the same commands again and again and takes all replies.
type scripted struct {
	in  strings.Reader
	out int
}

func (s *scripted) Read(p []byte) (int, error)          { return s.in.Read(p) }
func (s *scripted) Write(p []byte) (int, error)         { s.out += len(p); return len(p), nil }
func (*scripted) Close() error                          { return nil }
func (*scripted) LocalAddr() net.Addr                   { return &net.UnixAddr{} }
func (*scripted) RemoteAddr() net.Addr                  { return &net.UnixAddr{} }
func (*scripted) SetDeadline(time.Time) error           { return nil }
func (*scripted) SetReadDeadline(time.Time) error       { return nil }
func (*scripted) SetWriteDeadline(time.Time) error      { return nil }
func (*scripted) Auth(*Conn) Auth                       { return Auth{} }
func (*scripted) Scan(context.Context) (Listing, error) { return nil, nil }
func (*scripted) Update(context.Context, Outcome) error { return nil }
func (*scripted) Open(context.Context, *Conn, Identity) (Maildrop, error) {
	return nil, errors.New("not in this test")
}

// fixed is a maildrop of a thousand messages whose body is one reader, used again and again.
type fixed struct {
	*scripted
	body strings.Reader
}

const fixedBody = "Subject: x\r\n\r\nhello\r\n.there\r\n"

func (f *fixed) Message(context.Context, int) (Body, error) {
	f.body.Reset(fixedBody)
	return Body{R: f, Form: FormCRLF, Size: int64(len(fixedBody)), Header: 14}, nil
}
func (f *fixed) Read(p []byte) (int, error) { return f.body.Read(p) }

func (*fixed) Len() int       { return 1000 }
func (*fixed) Octets() int64  { return 1000 * int64(len(fixedBody)) }
func (*fixed) Size(int) int64 { return int64(len(fixedBody)) }
func (*fixed) AppendUID(dst []byte, i int) []byte {
	return strconv.AppendInt(append(dst, "uid-"...), int64(i), 10)
}

// wired is fixed in wire form.
type wired struct{ *fixed }

func (w wired) Message(ctx context.Context, i int) (Body, error) {
	b, err := w.fixed.Message(ctx, i)
	b.Form = FormWire
	return b, err
}

// TestAllocations pins what a command costs in allocations, from the line to the reply.
func TestAllocations(t *testing.T) {
	tests := []struct {
		cmd  string
		most float64
	}{
		{"STAT", 0},
		{"NOOP", 0},
		{"LIST", 0},
		{"LIST 7", 0},
		{"UIDL", 0},
		{"UIDL 7", 0},
		{"RSET", 0},
		{"RETR 1", 0},
		{"TOP 1 0", 0},
		{"TOP 1 1", 0},
		{"XYZZY", 2},
		{"RETR 0", 2},
	}
	for _, form := range []string{"crlf", "wire"} {
		for _, tt := range tests {
			t.Run(form+" "+tt.cmd, func(t *testing.T) {
				nc := new(scripted)
				s := New(Options{Backend: nc, MaxBadCommands: -1})
				c := s.newConn(nc, false)
				defer c.cancel()
				f := &fixed{scripted: nc}
				c.drop.Maildrop, c.drop.list = f, f
				if form == "wire" {
					c.drop.Maildrop = wired{f}
				}
				c.drop.n, c.drop.octets = f.Len(), f.Octets()
				c.state = pop3.StateTransaction
				line := tt.cmd + "\r\n"
				n := testing.AllocsPerRun(200, func() {
					nc.in.Reset(line)
					if err := c.next(); err != nil {
						t.Fatal(err)
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

// BenchmarkCommands measures commands without a network.
func BenchmarkCommands(b *testing.B) {
	for _, cmd := range []string{"NOOP", "STAT", "LIST", "UIDL", "RETR 1"} {
		b.Run(cmd, func(b *testing.B) {
			nc := new(scripted)
			s := New(Options{Backend: nc})
			c := s.newConn(nc, false)
			defer c.cancel()
			f := &fixed{scripted: nc}
			c.drop.Maildrop, c.drop.list = wired{f}, f
			c.drop.n, c.drop.octets = f.Len(), f.Octets()
			c.state = pop3.StateTransaction
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
