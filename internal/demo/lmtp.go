package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/wire"
)

// A handIn is a connection to the LMTP counter, as an MTA has one. It sends messages to the octet: the usual libraries
// change CR CR LF, and the samples have one.
type handIn struct {
	nc net.Conn
	r  *bufio.Reader
	w  *bufio.Writer
}

// handInTimeout bounds each exchange.
const handInTimeout = 30 * time.Second

func dialLMTP(ctx context.Context, addr string) (*handIn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	h := &handIn{nc, bufio.NewReader(nc), bufio.NewWriterSize(nc, 64<<10)}
	if err := h.expect(220); err != nil {
		_ = nc.Close()
		return nil, err
	}
	if err := h.command(250, "LHLO localhost"); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return h, nil
}

// send hands one message in and returns when the server has it safe for all recipients.
func (h *handIn) send(m Message) error {
	option := ""
	if m.UTF8 {
		option = " SMTPUTF8"
	}
	if err := h.command(250, fmt.Sprintf("MAIL FROM:<%s> BODY=8BITMIME SIZE=%d%s", m.From, len(m.Raw), option)); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := h.command(250, "RCPT TO:<"+to+"@"+domain+">"); err != nil {
			return err
		}
	}
	if err := h.command(354, "DATA"); err != nil {
		return err
	}
	dots := wire.NewDotWriter(h.w, wire.Text)
	if _, err := io.Copy(dots, bytes.NewReader(m.Raw)); err != nil {
		return err
	}
	if err := dots.Close(); err != nil {
		return err
	}
	if err := h.w.Flush(); err != nil {
		return err
	}
	for range m.To {
		if err := h.expect(250); err != nil {
			return err
		}
	}
	return nil
}

func (h *handIn) close() error {
	err := h.command(221, "QUIT")
	_ = h.nc.Close()
	return err
}

func (h *handIn) command(code int, line string) error {
	_ = h.nc.SetDeadline(time.Now().Add(handInTimeout))
	if _, err := h.w.WriteString(line + "\r\n"); err != nil {
		return err
	}
	if err := h.w.Flush(); err != nil {
		return err
	}
	return h.expect(code)
}

// expect reads a reply, which may have several lines.
func (h *handIn) expect(code int) error {
	for {
		line, err := h.r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, fmt.Sprint(code)) {
			return fmt.Errorf("LMTP says %q", strings.TrimSpace(line))
		}
		if len(line) < 4 || line[3] != '-' {
			return nil
		}
	}
}
