package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/postamt/postamt/bench/internal/mailgen"
)

// deliver hands -users' maildrops messages of -size octets over LMTP until end, one connection a worker, and wants 250
// for every recipient. Latencies are from the end of DATA to that reply, which is what durability costs.
func (w *worker) deliver(id int, end time.Time) error {
	nc, err := net.DialTimeout("tcp", *addr, *timeout)
	if err != nil {
		return err
	}
	defer nc.Close()
	c := &lmtpConn{nc: nc, r: bufio.NewReader(nc)}
	if err := c.expect("220"); err != nil {
		return err
	}
	if err := c.cmd("250", "LHLO bench.example.org"); err != nil {
		return err
	}
	g := mailgen.New(uint64(os.Getpid()), uint64(id))
	for n := 0; time.Now().Before(end); n++ {
		if *ops > 0 && w.t.ops.Load() >= *ops {
			break
		}
		nc.SetDeadline(time.Now().Add(*timeout))
		msg := g.Message(n, *size)
		rcpt := fmt.Sprintf(*user, *first+(id+n**conns)%*users)
		if err := c.cmd("250", "MAIL FROM:<sender@example.org>"); err != nil {
			return err
		}
		if err := c.cmd("250", "RCPT TO:<"+rcpt+*domain+">"); err != nil {
			return err
		}
		if err := c.cmd("354", "DATA"); err != nil {
			return err
		}
		start := time.Now()
		c.out = stuff(c.out[:0], msg)
		if _, err := nc.Write(c.out); err != nil {
			return err
		}
		if err := c.expect("250"); err != nil {
			return fmt.Errorf("DATA: %w", err)
		}
		w.totals = append(w.totals, time.Since(start))
		w.t.ops.Add(1)
		w.t.msgs.Add(1)
		w.t.bytes.Add(int64(len(msg)))
	}
	return c.cmd("221", "QUIT")
}

// stuff appends msg, whose lines end with CRLF, byte-stuffed and with the terminating line.
func stuff(dst, msg []byte) []byte {
	for line := range strings.SplitAfterSeq(string(msg), "\n") {
		if strings.HasPrefix(line, ".") {
			dst = append(dst, '.')
		}
		dst = append(dst, line...)
	}
	return append(dst, ".\r\n"...)
}

type lmtpConn struct {
	nc  net.Conn
	r   *bufio.Reader
	out []byte
}

func (c *lmtpConn) cmd(code, line string) error {
	if _, err := fmt.Fprintf(c.nc, "%s\r\n", line); err != nil {
		return err
	}
	if err := c.expect(code); err != nil {
		return fmt.Errorf("%.4s: %w", line, err)
	}
	return nil
}

// expect reads one reply, however many lines it has.
func (c *lmtpConn) expect(code string) error {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, code) || len(line) < 5 {
			return fmt.Errorf("expected %s, got %q", code, line)
		}
		if line[3] == ' ' {
			return nil
		}
	}
}
