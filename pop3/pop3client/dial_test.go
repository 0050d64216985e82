package pop3client_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// TestDialAddress: the port depends on the security, unless the address has one (C-070).
func TestDialAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		addr     string
		security pop3client.Security
		want     string
	}{
		{"pop.example.com", pop3client.TLS, "pop.example.com:995"},
		{"pop.example.com", pop3client.STLS, "pop.example.com:110"},
		{"pop.example.com", pop3client.Clear, "pop.example.com:110"},
		{"pop.example.com:", pop3client.TLS, "pop.example.com:995"},
		{"pop.example.com:1995", pop3client.TLS, "pop.example.com:1995"},
		{"192.0.2.1", pop3client.TLS, "192.0.2.1:995"},
		{"2001:db8::1", pop3client.TLS, "[2001:db8::1]:995"},
		{"[2001:db8::1]", pop3client.TLS, "[2001:db8::1]:995"},
		{"[2001:db8::1]:1995", pop3client.TLS, "[2001:db8::1]:1995"},
		{"", pop3client.TLS, ""},
		{":995", pop3client.TLS, ""},
	} {
		var got string
		refused := errors.New("refused")
		_, err := pop3client.Dial(t.Context(), test.addr, &pop3client.Options{
			Security: test.security,
			DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
				got = addr
				return nil, refused
			},
		})
		var conn *pop3client.ConnError
		if got != test.want || err == nil {
			t.Errorf("Dial(%q) with %v went to %q (%v), want %q", test.addr, test.security, got, err, test.want)
		}
		if test.want != "" && (!errors.As(err, &conn) || conn.Op != "connect" || !errors.Is(err, refused)) {
			t.Errorf("Dial(%q): %v, want a *ConnError around the dialer's error", test.addr, err)
		}
	}
}

func TestDialTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := pop3client.Dial(t.Context(), "h", &pop3client.Options{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		if took := time.Since(start); !errors.Is(err, pop3client.ErrTimeout) || took != time.Minute {
			t.Errorf("Dial: %v after %v, want ErrTimeout after 1m", err, took)
		}
	})
}
