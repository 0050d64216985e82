package demo

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/postamt/postamt/internal/terminal"
	"github.com/postamt/postamt/pop3/pop3client"
)

// A result is what came of one message.
type result struct {
	num    int
	octets int64
	sum    [32]byte
}

// pickUp fetches a user's mail over POP3S, tells what came, and reports whether the last messages are the expected ones,
// octet for octet. Former ones (of an earlier run in the same folder) come first and are left out of it.
func (s *show) pickUp(ctx context.Context, user string, expected []Message) (matched bool, err error) {
	c, err := s.dial(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(ctx, user, s.passwords[user]); err != nil {
		return false, err
	}
	results, err := s.fetch(ctx, c, user, len(expected))
	if err != nil {
		return false, err
	}
	if err := c.Quit(ctx); err != nil {
		return false, err
	}
	return s.compare(user, results, expected), nil
}

// dial connects as a careful client does: the self-signed certificate is the only one trusted.
func (s *show) dial(ctx context.Context) (*pop3client.Client, error) {
	pem, err := os.ReadFile(s.certificate())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the certificate cannot be read")
	}
	return pop3client.Dial(ctx, "localhost:"+port(s.pop3s), &pop3client.Options{RootCAs: roots})
}

// fetch retrieves the last n messages and takes their digests as they stream in.
func (s *show) fetch(ctx context.Context, c *pop3client.Client, user string, n int) ([]result, error) {
	count, _, err := c.Stat(ctx)
	if err != nil {
		return nil, err
	}
	if count < n {
		return nil, fmt.Errorf("%s has %d messages and should have %d", user, count, n)
	}
	var octets int64
	for scan, err := range c.List(ctx) {
		if err != nil {
			return nil, err
		}
		if scan.Num > count-n {
			octets += scan.Size
		}
	}
	bar := s.Terminal.Progress(fmt.Sprintf("%s picks up %d messages over POP3S", user, n), octets, terminal.Octets)
	defer bar.Done()
	results := make([]result, 0, n)
	for num := count - n + 1; num <= count; num++ {
		m, err := c.Retr(ctx, num)
		if err != nil {
			return nil, err
		}
		digest := sha256.New()
		if _, err := m.WriteTo(io.MultiWriter(digest, progressWriter{bar})); err != nil {
			return nil, err
		}
		r := result{num: num, octets: m.Octets()}
		digest.Sum(r.sum[:0])
		results = append(results, r)
	}
	return results, nil
}

type progressWriter struct{ bar *terminal.Progress }

func (w progressWriter) Write(p []byte) (int, error) {
	w.bar.Add(int64(len(p)))
	return len(p), nil
}

// compare prints a table and reports whether everything is as it was handed in.
func (s *show) compare(user string, results []result, expected []Message) bool {
	t := terminal.Table{Header: []string{"num", "octets", "sha-256", "same?", "what"}, Right: []int{0, 1}}
	same, octets := 0, int64(0)
	for i, r := range results {
		verdict := "NO"
		if r.sum == sha256.Sum256(asKept(expected[i].Raw)) {
			verdict = "yes"
			same++
		}
		octets += r.octets
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(r.num), strconv.FormatInt(r.octets, 10), hex.EncodeToString(r.sum[:6]), verdict, expected[i].Kind,
		})
	}
	s.say("\n")
	_ = s.Terminal.Print(t)
	verdict := s.Terminal.Good("every octet is the same")
	if same < len(expected) {
		verdict = s.Terminal.Bad(fmt.Sprintf("%d differ", len(expected)-same))
	}
	s.say("\n%s: %d messages, %s: %s\n\n", user, len(results), terminal.FormatOctets(octets), verdict)
	return same == len(expected)
}

// asKept returns a sample as it must come out again: LMTP ends the last line, and nothing else changes.
func asKept(raw []byte) []byte {
	if n := len(raw); n >= 2 && raw[n-2] == '\r' && raw[n-1] == '\n' || n == 0 {
		return raw
	}
	return append(raw[:len(raw):len(raw)], '\r', '\n')
}
