package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Clamd is the daemon of ClamAV. It may be used concurrently.
type Clamd struct {
	// Network and Address are where it listens: "unix" and a path, or "tcp" and host:port.
	Network, Address string
	// Timeout is how long it may take for one message, in all. Default: 2 minutes, as long as clamd itself allows.
	Timeout time.Duration
	// Dial replaces the connection to Address.
	Dial func(ctx context.Context) (net.Conn, error)
}

const (
	// clamdChunk is how much of a message goes in one piece.
	clamdChunk = 32 << 10
	// maxClamdReply bounds its answer, in octets.
	maxClamdReply = 4 << 10
)

// Scan streams a message with the command INSTREAM (clamd(8)) and returns the name of what was found in it, made fit for a
// header field, or "".
func (c *Clamd) Scan(ctx context.Context, message io.Reader) (virus string, err error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	sent, err := c.send(conn, message)
	if err != nil {
		return "", err // of the message: clamd waits for the rest of it in vain
	}
	// clamd answers, and hangs up, in the middle of a message that is too large for it.
	reply, err := io.ReadAll(io.LimitReader(conn, maxClamdReply))
	switch {
	case ctx.Err() != nil:
		return "", late(ctx, timeout, context.Cause(ctx))
	case len(reply) == 0 && sent != nil:
		return "", sent
	case len(reply) == 0 && err != nil:
		return "", err
	}
	virus, err = c.read(string(bytes.TrimRight(reply, "\x00\n")))
	if virus == "" && err == nil && sent != nil {
		return "", sent // nothing was found in what it has seen, which is not all
	}
	return virus, err
}

func (c *Clamd) connect(ctx context.Context) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	return new(net.Dialer).DialContext(ctx, c.Network, c.Address)
}

// read understands an answer: "stream: OK", "stream: NAME FOUND" or "... ERROR".
func (c *Clamd) read(reply string) (virus string, err error) {
	result, named := strings.CutPrefix(reply, "stream: ")
	switch name, found := strings.CutSuffix(result, " FOUND"); {
	case named && result == "OK":
		return "", nil
	case named && found:
		return word(name), nil
	case strings.Contains(reply, "size limit exceeded"):
		return "", ErrTooLarge
	}
	return "", fmt.Errorf("it answered %q", word(reply))
}

// send sends the message. sent is what is wrong with the connection, err with the message.
func (c *Clamd) send(conn net.Conn, message io.Reader) (sent, err error) {
	if _, err := io.WriteString(conn, "zINSTREAM\x00"); err != nil {
		return err, nil
	}
	buf := make([]byte, 4+clamdChunk)
	for {
		n, err := message.Read(buf[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n)) // n is at most clamdChunk
			if _, err := conn.Write(buf[:4+n]); err != nil {
				return err, nil
			}
		}
		if errors.Is(err, io.EOF) {
			_, err := conn.Write([]byte{0, 0, 0, 0})
			return err, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
