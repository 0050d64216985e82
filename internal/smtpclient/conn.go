package smtpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// A Conn is a connection to a server, used by one goroutine.
//
// After an error that is not a [*ReplyError], and after one with code 421, it is of no more use and Close remains.
type Conn struct {
	opt    Options
	nc     net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	ext    map[string]string // by keyword in upper case
	secure bool              // TLS with a certificate that was checked
	tls    *tls.ConnectionState

	mu   sync.Mutex
	over bool // the context ended: deadlines are not moved any more
}

// Dial connects, greets, protects the connection and signs in, as opt says. If the server turns the channel binding of the
// sign-in down, it does all of that once more without, on a new connection (RFC 9266 §4.1).
func Dial(ctx context.Context, opt Options) (*Conn, error) {
	opt, err := opt.complete()
	if err != nil {
		return nil, fmt.Errorf("smtpclient: %w", err)
	}
	c, err := dial(ctx, opt)
	if errors.Is(err, errBinding) {
		opt.unbound = true
		c, err = dial(ctx, opt)
	}
	return c, err
}

func dial(ctx context.Context, opt Options) (*Conn, error) {
	nc, err := opt.Dial(ctx, opt.network(), opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", opt.Addr, err)
	}
	c := &Conn{opt: opt}
	c.use(nc)
	if err := c.open(ctx); err != nil {
		_ = c.nc.Close()
		return nil, fmt.Errorf("%s: %w", opt.Addr, err)
	}
	return c, nil
}

func (c *Conn) use(nc net.Conn) {
	c.nc = nc
	c.r, c.w = bufio.NewReaderSize(nc, maxLine), bufio.NewWriterSize(nc, 64<<10)
}

func (c *Conn) open(ctx context.Context) error {
	defer c.Watch(ctx)()
	if c.opt.Security == ImplicitTLS {
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	if _, err := c.answer(c.opt.Timeout, "", 220); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.opt.Security == StartTLS {
		if _, offered := c.ext["STARTTLS"]; !offered {
			return ErrNoStartTLS
		}
		if _, err := c.command(220, "STARTTLS"); err != nil {
			return err
		}
		if c.r.Buffered() > 0 {
			return broken("something came together with the answer to STARTTLS")
		}
		if err := c.handshake(ctx); err != nil {
			return err
		}
		if err := c.hello(); err != nil {
			return err
		}
	}
	if c.opt.User == "" {
		return nil
	}
	return c.signIn(ctx)
}

func (c *Conn) handshake(ctx context.Context) error {
	config := c.opt.tlsConfig()
	var distrust error
	if verify := config.VerifyConnection; verify != nil {
		config.VerifyConnection = func(state tls.ConnectionState) error {
			distrust = verify(state)
			return distrust
		}
	}
	tc := tls.Client(c.nc, config)
	if err := c.arm(min(c.opt.Timeout, time.Minute)); err != nil {
		return err
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		var chain *tls.CertificateVerificationError
		if distrust != nil || errors.As(err, &chain) {
			return &TrustError{err}
		}
		return fmt.Errorf("no TLS: %w", err)
	}
	c.secure = !config.InsecureSkipVerify || config.VerifyConnection != nil
	state := tc.ConnectionState()
	c.tls = &state
	c.mu.Lock()
	defer c.mu.Unlock()
	c.use(tc)
	return nil
}

// hello greets the server and learns what it can do.
func (c *Conn) hello() error {
	verb := "EHLO "
	if c.opt.LMTP {
		verb = "LHLO "
	}
	c.ext = make(map[string]string)
	r, err := c.command(250, verb+c.opt.LocalName)
	var refused *ReplyError
	if errors.As(err, &refused) && refused.Code >= 500 && !c.opt.LMTP {
		_, err = c.command(250, "HELO "+c.opt.LocalName) // RFC 5321 §3.2
		return err
	}
	if err != nil {
		return err
	}
	for _, line := range r.lines[1:] {
		name, params, _ := strings.Cut(line, " ")
		c.ext[strings.ToUpper(name)] = params
	}
	return nil
}

// Watch makes the end of ctx end whatever the connection is waiting for, until stop is called. After that end the
// connection is of no more use.
func (c *Conn) Watch(ctx context.Context) (stop func()) {
	done := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	})
	return func() { done() }
}

// arm gives the next exchange its time.
func (c *Conn) arm(timeout time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return context.Canceled
	}
	return c.nc.SetDeadline(time.Now().Add(timeout))
}

// command sends a line and reads the answer, which must have code want.
func (c *Conn) command(want int, line string) (reply, error) { return c.exchange(want, line, line) }

// exchange is command with another text for errors, for lines that show a secret.
func (c *Conn) exchange(want int, line, shown string) (reply, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return reply{}, errors.New("a command has a line end or a NUL in it")
	}
	if err := c.arm(c.opt.Timeout); err != nil {
		return reply{}, err
	}
	if _, err := c.w.WriteString(line + "\r\n"); err != nil {
		return reply{}, err
	}
	if err := c.w.Flush(); err != nil {
		return reply{}, err
	}
	return c.answer(c.opt.Timeout, shown, want)
}

func (c *Conn) answer(timeout time.Duration, command string, want int) (reply, error) {
	if err := c.arm(timeout); err != nil {
		return reply{}, err
	}
	r, err := readReply(c.r)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return reply{}, fmt.Errorf("waiting for an answer: %w", err)
	}
	if r.code != want {
		return r, r.refusal(command)
	}
	return r, nil
}

// Reset gives up what was begun with Mail.
func (c *Conn) Reset() error {
	_, err := c.command(250, "RSET")
	return err
}

// Noop asks whether the server is still there.
func (c *Conn) Noop() error {
	_, err := c.command(250, "NOOP")
	return err
}

// Quit ends the session and closes the connection.
func (c *Conn) Quit() error {
	_, err := c.command(221, "QUIT")
	return errors.Join(err, c.nc.Close())
}

// Close closes the connection. What was not finished is not delivered.
func (c *Conn) Close() error {
	if tc, ok := c.nc.(*tls.Conn); ok {
		return tc.NetConn().Close() // a close_notify could wait for a server that does not read
	}
	return c.nc.Close()
}
