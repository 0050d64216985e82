package pop3test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Bounds of a scripted peer.
const (
	// MaxScriptLine is the longest line, in octets with its end, that an Expect step reads.
	MaxScriptLine = 64 << 10
	// StepTimeout bounds every step but Stall and Call: a peer whose other end neither sends nor reads gives up after it.
	StepTimeout = 20 * time.Second
)

// ErrHungUp is in the chain of the error of a script whose other end hung up in the middle of it.
var ErrHungUp = errors.New("the other end hung up")

// A Script is what a scripted peer does on one connection, step by step. Scripts are values: they can be shared, joined
// with append and played many times.
type Script []Step

// A Step is one thing that a scripted peer does. The zero Step does nothing.
type Step struct {
	name string
	// sends holds what the step writes, in segments, so that a Script can be cut at every octet.
	sends [][]byte
	run   func(*player) error
}

// String returns what the step does, for messages.
func (s Step) String() string { return s.name }

// player is the state of one run of a script.
type player struct {
	conn      net.Conn
	r         *bufio.Reader
	timeout   time.Duration
	mayHangUp bool
	// left is how many octets may still be sent before fault is run, or -1 for any number.
	left  int
	fault Step
}

// errEnd ends a script early: after its fault, or when the other end hung up in a Stall.
var errEnd = errors.New("pop3test: end of the script")

// Play plays s on conn and closes conn at the end. It returns nil if every step was played, or if a fault (FaultAfter)
// ended the script. It ends early, with the context's error, when ctx is done.
func (s Script) Play(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	p := &player{conn: conn, r: bufio.NewReaderSize(conn, MaxScriptLine), timeout: StepTimeout, left: -1}
	defer func() { p.conn.Close() }()
	for i, step := range s {
		err := p.play(step)
		switch {
		case err == nil:
		case errors.Is(err, errEnd):
			return nil
		case p.mayHangUp && errors.Is(err, ErrHungUp):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return fmt.Errorf("pop3test: step %d of %d (%s): %w", i+1, len(s), step.name, err)
		}
	}
	return nil
}

func (p *player) play(step Step) error {
	for _, segment := range step.sends {
		if err := p.send(segment); err != nil {
			return err
		}
	}
	if step.run == nil {
		return nil
	}
	return step.run(p)
}

// send writes one segment, or the part of it that comes before the fault.
func (p *player) send(b []byte) error {
	fault := p.left >= 0 && len(b) >= p.left
	if fault {
		b = b[:p.left]
	}
	if len(b) > 0 {
		p.conn.SetWriteDeadline(time.Now().Add(p.timeout))
		if _, err := p.conn.Write(b); err != nil {
			return hungUp(err)
		}
	}
	if p.left >= 0 {
		p.left -= len(b)
	}
	if !fault {
		return nil
	}
	p.left = -1
	if err := p.play(p.fault); err != nil && !errors.Is(err, ErrHungUp) {
		return err
	}
	return errEnd
}

// readLine reads one line with its end.
func (p *player) readLine() (string, error) {
	p.conn.SetReadDeadline(time.Now().Add(p.timeout))
	line, err := p.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("line of more than %d octets", MaxScriptLine)
	case err != nil && len(line) > 0:
		return "", fmt.Errorf("only %q came: %w", line, hungUp(err))
	case err != nil:
		return "", hungUp(err)
	}
	return string(line), nil
}

// hungUp marks the errors that a connection gives when its other end is gone.
func hungUp(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrHungUp, err)
}

// buffered is a connection of which some octets were read already.
type buffered struct {
	net.Conn
	r io.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// A ScriptedPeer is the server's end of connections in a test: it plays a script on each of them. It waits for all of
// them when the test ends, and fails the test where the client did not do what the script expects.
type ScriptedPeer struct {
	tb     testing.TB
	ctx    context.Context
	script func(n int) Script
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns int
	err   error
}

// NewScriptedPeer returns a peer that plays the steps on every connection that is made to it.
func NewScriptedPeer(tb testing.TB, steps ...Step) *ScriptedPeer {
	return NewScriptedPeers(tb, Script(steps))
}

// NewScriptedPeers returns a peer that plays the scripts one after the other: the first on the first connection, and so
// on, and the last on each further one.
func NewScriptedPeers(tb testing.TB, scripts ...Script) *ScriptedPeer {
	tb.Helper()
	if len(scripts) == 0 {
		tb.Fatal("pop3test: a scripted peer needs a script")
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &ScriptedPeer{tb: tb, ctx: ctx, script: func(n int) Script { return scripts[min(n, len(scripts)-1)] }}
	tb.Cleanup(func() {
		if tb.Failed() {
			cancel() // do not wait for a peer whose client has given up
		}
		p.wg.Wait()
		cancel()
	})
	return p
}

// serve plays the next script on conn, on a goroutine that the test's cleanup waits for.
func (p *ScriptedPeer) serve(conn net.Conn) {
	p.mu.Lock()
	script := p.script(p.conns)
	p.conns++
	p.mu.Unlock()
	p.wg.Go(func() {
		err := script.Play(p.ctx, conn)
		if err == nil || p.ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err == nil {
			p.err = err
		}
		p.tb.Errorf("scripted peer: %v", err)
	})
}

// Conn returns the client's end of a new connection through a synchronous pipe (net.Pipe), which keeps segments apart.
func (p *ScriptedPeer) Conn() net.Conn {
	client, server := net.Pipe()
	p.serve(server)
	return client
}

// DialContext is Conn in the shape of a dialer: it connects to the peer whatever the address is.
func (p *ScriptedPeer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.Conn(), nil
}

// DialTCP is DialContext over TCP on the loopback interface. Use it for handshakes that are meant to fail: over a
// synchronous pipe an end that breaks off while the other one writes waits for ever.
func (p *ScriptedPeer) DialTCP(ctx context.Context, _, _ string) (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	client, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	server, err := l.Accept()
	if err != nil {
		client.Close()
		return nil, err
	}
	p.serve(server)
	return client, nil
}

// Listen makes the peer listen on a free TCP port of the loopback interface until the test ends, and returns the address.
func (p *ScriptedPeer) Listen() string {
	p.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.tb.Fatalf("pop3test: scripted peer cannot listen: %v", err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	})
	p.tb.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	return l.Addr().String()
}

// Wait waits until every connection made so far was played to its end and returns the first error.
func (p *ScriptedPeer) Wait() error {
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Conns returns how many connections were made so far.
func (p *ScriptedPeer) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}

// StartTLS is a step: the peer makes the server's handshake, and goes on inside TLS. Make it the first step for implicit
// TLS, or put it behind the reply to STLS.
func StartTLS(config *tls.Config) Step {
	return Step{name: "StartTLS", run: func(p *player) error {
		conn := tls.Server(buffered{p.conn, p.r}, config)
		ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			return hungUp(err)
		}
		p.conn, p.r = conn, bufio.NewReaderSize(conn, MaxScriptLine)
		return nil
	}}
}
