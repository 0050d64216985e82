package pop3client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
)

// A Client is one session with a POP3 server.
//
// It is for one goroutine at a time; only Close may be called from another one. Every method takes a context and respects
// it: when it ends during a command, the connection is closed, because nobody could tell any longer which answer belongs
// to which command. The error is then a *ConnError around the context's cause. A context that has ended before a command
// begins sends nothing and leaves the session as it is.
//
// Deletions take effect when Quit returns nil, and never before Quit is called (RFC 1939 §6).
type Client struct {
	opt  *Options
	host string

	raw  net.Conn  // as it was dialled; closing it cuts everything short
	conn transport // raw, or TLS over it
	r    *wire.LineReader
	out  []byte // the commands being composed

	secure   bool // TLS, and the server was verified
	tls      *tls.ConnectionState
	signedIn bool

	greeting  string
	timestamp string            // of the greeting, for APOP
	capa      pop3.Capabilities // of the present state; nil: not asked yet
	noCapa    bool              // the server answered CAPA with -ERR
	bound     bool              // a sign-in with channel binding was tried

	op    string          // the command that is under way; empty: none
	batch bool            // that command is one of a Batch, which goes on behind it
	ctx   context.Context // of that command
	stop  func() bool     // takes back the watch over ctx
	err   error           // what ended the session

	cutFunc func()
	closed  atomic.Bool
}

// Greeting returns the text of the server's greeting, made fit to be shown.
func (c *Client) Greeting() string { return c.greeting }

// Secure reports whether the connection is encrypted and the server was verified.
func (c *Client) Secure() bool { return c.secure }

// TLS returns the state of the TLS connection, or nil without TLS.
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// SignedIn reports whether the session is in the TRANSACTION state.
func (c *Client) SignedIn() bool { return c.signedIn }

// LocalAddr returns the local address of the connection.
func (c *Client) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr returns the server's address.
func (c *Client) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Close ends the session at once and without QUIT: messages marked as deleted stay. It may be called at any time, from any
// goroutine, also twice and after Quit, and makes a command under way return.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.raw.Close()
}

// begin starts command op: it refuses, sending nothing, if the session cannot take one, and lets ctx watch over it.
func (c *Client) begin(ctx context.Context, op string) error {
	switch {
	case c.err != nil:
		return fmt.Errorf("pop3client: %s: %w: %w", op, ErrClosed, c.err)
	case c.closed.Load():
		return fmt.Errorf("pop3client: %s: %w", op, ErrClosed)
	case c.op != "":
		return fmt.Errorf("pop3client: %s: %w (%s)", op, ErrBusy, c.op)
	case ctx.Err() != nil:
		return fmt.Errorf("pop3client: %s: %w", op, context.Cause(ctx))
	}
	c.op, c.ctx = op, ctx
	if ctx.Done() != nil {
		c.stop = context.AfterFunc(ctx, c.cutFunc)
	}
	c.conn.renew(c.opt.Timeout)
	return nil
}

// end ends the command that begin started, unless it is one of a Batch.
func (c *Client) end() {
	if c.batch {
		return
	}
	if c.stop != nil && !c.stop() && c.err == nil {
		c.err = &ConnError{Op: c.op, Err: context.Cause(c.ctx)} // the watch has closed the connection in the last moment
	}
	c.op, c.ctx, c.stop = "", nil, nil
}

// fail ends the session because of err and returns what to report. It ends the command under way, too.
func (c *Client) fail(err error) error {
	if c.closed.Load() && (c.ctx == nil || c.ctx.Err() == nil) {
		err = ErrClosed
	}
	err = failure(c.ctx, c.op, err)
	c.err, c.batch = err, false
	c.end()
	c.Close()
	return err
}

// protocolError is fail for an answer that breaks the rules.
func (c *Client) protocolError(line []byte, err error) error {
	return c.fail(&pop3.ProtocolError{Op: c.op, Line: printable(line), Err: err})
}

// command sends one command without arguments or with numbers and reads its status line.
func (c *Client) command(ctx context.Context, verb string, nums ...int) ([]byte, error) {
	op, _, _ := strings.Cut(verb, " ") // an Extension has its arguments behind it
	if err := c.begin(ctx, op); err != nil {
		return nil, err
	}
	c.compose(verb, nums...)
	if err := c.flush(); err != nil {
		return nil, err
	}
	return c.status()
}

// simple is command for those whose answer is a status line alone.
func (c *Client) simple(ctx context.Context, verb string, nums ...int) error {
	_, err := c.command(ctx, verb, nums...)
	if err == nil {
		c.end()
	}
	return err
}
