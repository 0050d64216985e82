package pop3client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
)

// Dial connects to addr, which is a host or host:port, makes the connection as secure as opt says, reads the greeting and
// returns the session in the AUTHORIZATION state. A nil opt is the zero Options: TLS on port 995, verified.
//
// A greeting of -ERR is a *pop3.Error.
func Dial(ctx context.Context, addr string, opt *Options) (*Client, error) {
	o := opt.withDefaults()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, o.Security.port()
		if strings.HasPrefix(addr, "[") {
			host = strings.TrimSuffix(addr[1:], "]")
		}
	}
	if port == "" {
		port = o.Security.port()
	}
	if host == "" {
		return nil, fmt.Errorf("pop3client: connect: no host in address %q", addr)
	}
	start := time.Now()
	dialCtx, cancel := ctx, context.CancelFunc(func() {})
	if o.ConnectTimeout > 0 {
		dialCtx, cancel = context.WithDeadlineCause(ctx, start.Add(o.ConnectTimeout), ErrTimeout)
	}
	defer cancel()
	conn, err := o.DialContext(dialCtx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		if dialCtx.Err() != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(dialCtx), err)
		}
		return nil, &ConnError{Op: "connect", Err: err}
	}
	return connect(dialCtx, conn, host, o)
}

// NewClient makes a session of a connection that exists already, in the same way as Dial; opt.Security says how. host is
// the name that the server's certificate must have. The connection belongs to the Client, and is closed after an error.
func NewClient(ctx context.Context, conn net.Conn, host string, opt *Options) (*Client, error) {
	o := opt.withDefaults()
	cancel := context.CancelFunc(func() {})
	if o.ConnectTimeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, o.ConnectTimeout, ErrTimeout)
	}
	defer cancel()
	return connect(ctx, conn, host, o)
}

// connect brings a fresh connection to the AUTHORIZATION state. ctx has the connect timeout in it.
func connect(ctx context.Context, conn net.Conn, host string, o *Options) (*Client, error) {
	c := &Client{opt: o, host: host, raw: conn, conn: transport{Conn: conn}}
	c.cutFunc = func() { conn.Close() }
	c.r = wire.NewLineReader(&c.conn, readBuffer)
	if o.Security == TLS {
		if err := c.startTLS(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.readGreeting(ctx); err != nil {
		return nil, err
	}
	if o.Security == STLS {
		if err := c.stls(ctx); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (c *Client) readGreeting(ctx context.Context) error {
	if err := c.begin(ctx, "greeting"); err != nil {
		c.Close()
		return err
	}
	text, err := c.status()
	if err != nil {
		c.Close()
		return err
	}
	c.greeting = printable(text)
	c.timestamp = findTimestamp(text)
	c.end()
	return c.err
}

// stls asks for STLS and starts TLS (RFC 2595 §4). It never goes on without.
func (c *Client) stls(ctx context.Context) error {
	capa, err := c.capabilities(ctx)
	if err != nil {
		return err
	}
	if !c.noCapa && !capa.Has(pop3.CapSTLS) {
		_ = c.Quit(ctx) // how that ends makes no difference
		return fmt.Errorf("pop3client: STLS: %w", ErrNoSTLS)
	}
	if err := c.simple(ctx, "STLS"); err != nil {
		var refused *pop3.Error
		if errors.As(err, &refused) {
			_ = c.Quit(ctx) // how that ends makes no difference
			return fmt.Errorf("pop3client: STLS: %w: %w", ErrNoSTLS, refused)
		}
		return err
	}
	// What came behind the answer was not protected, so it is thrown away unread, and what was learned before TLS is
	// forgotten (RFC 2595 §4).
	c.r.Reset(&c.conn)
	c.forgetCapa()
	c.timestamp = ""
	return c.startTLS(ctx)
}
