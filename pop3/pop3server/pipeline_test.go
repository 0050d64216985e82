package pop3server_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

func TestPipelinedSession(t *testing.T) { // S-160, S-162
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t)
	p.sendAsync(login + "STAT\r\nLIST\r\nUIDL\r\nRETR 99\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
	for _, want := range []string{"+OK POP3", "+OK send", "+OK maildrop", "+OK 3", "+OK 3 messages*", "+OK unique*", "-ERR no such", "+OK 5*", "+OK message 1", "+OK goodbye"} {
		want, multi := strings.CutSuffix(want, "*")
		p.want(want)
		if multi {
			p.lines()
		}
	}
	p.closed()
	if n := s.count(); n != 2 {
		t.Errorf("%d messages left", n)
	}
}

// countingConn counts writes. It is not a *net.TCPConn, but forwards what one has.
type countingConn struct {
	*net.TCPConn
	mu                sync.Mutex
	writes, readFroms int
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
	return c.TCPConn.Write(p)
}

func (c *countingConn) ReadFrom(r io.Reader) (int64, error) {
	c.mu.Lock()
	c.readFroms++
	c.mu.Unlock()
	return c.TCPConn.ReadFrom(r)
}

func (c *countingConn) counts() (writes, readFroms int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes, c.readFroms
}

// countedPair connects a peer to a session of s over TCP and counts the session's calls.
func countedPair(t *testing.T, s *pop3server.Server) (*peer, *countingConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &countingConn{TCPConn: nc.(*net.TCPConn)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.ServeConn(c) })
	t.Cleanup(func() { _ = client.Close(); wg.Wait() })
	return newPeer(t, client), c
}

func TestOneWriteForAPipeline(t *testing.T) { // S-165
	t.Parallel()
	p, c := countedPair(t, start(t, nil).Server)
	p.signedIn()
	before, _ := c.counts()
	p.send(strings.Repeat("NOOP\r\n", 50))
	for range 50 {
		p.want("+OK ")
	}
	after, _ := c.counts()
	// One segment of 300 octets arrives at once, on loopback; two leave room for a slow day.
	if n := after - before; n > 2 {
		t.Errorf("%d writes for 50 pipelined commands", n)
	}
	before = after
	p.body("RETR 1")
	if after, _ = c.counts(); after-before != 1 {
		t.Errorf("%d writes for a small message, want 1", after-before)
	}
	p.quit()
}

// TestDeafClient sends 10 000 RETR without reading and then reads it all (S-161).
func TestDeafClient(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s := start(t, nil)
	p := dial(t, s.tcp(t, false)).signedIn()
	p.sendAsync(strings.Repeat("RETR 1\r\n", n))
	one := len("+OK 52 octets\r\n") + len(mail[0]) + len(".") + len(".\r\n")
	buf := make([]byte, one)
	var first []byte
	for i := range n {
		if _, err := io.ReadFull(p.r, buf); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = bytes.Clone(buf)
		}
		if !bytes.Equal(buf, first) || !bytes.HasSuffix(buf, []byte("\r\n.\r\n")) {
			t.Fatalf("response %d: %q", i, buf)
		}
	}
	p.quit()
}

// TestAuthIsNotPipelined: the line after AUTH is a response, whatever it looks like (S-163).
func TestAuthIsNotPipelined(t *testing.T) {
	t.Parallel()
	p := start(t, nil).pipe(t).greeted()
	p.sendAsync("AUTH PLAIN\r\nCAPA\r\nQUIT\r\n")
	if got := p.line(); got != "+ " {
		t.Errorf("challenge %q", got)
	}
	p.want("-ERR ")
	p.want("+OK goodbye")
	p.closed()
}
