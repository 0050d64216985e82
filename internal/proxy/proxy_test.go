package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer plays a proxy: it reads and compares what it expects, and sends what comes next, in pairs.
func peer(t *testing.T, pairs ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for i := 0; i < len(pairs); i += 2 {
			got := make([]byte, len(pairs[i]))
			if n, err := io.ReadFull(conn, got); err != nil || string(got) != pairs[i] {
				t.Errorf("got %q (%v), want %q", got[:n], err, pairs[i])
				return
			}
			_, _ = io.WriteString(conn, pairs[i+1])
		}
		_, _ = io.Copy(io.Discard, conn)
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

const request = "CONNECT mail.example.org:995 HTTP/1.1\r\nHost: mail.example.org:995\r\nUser-Agent: Go-http-client/1.1\r\n\r\n"

// Through each kind of proxy, the server's first words come whole, also if they come with the proxy's own.
func TestThrough(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scheme, addr string
		pairs              []string
	}{
		{"SOCKS5, a name", "socks5", "mail.example.org:995", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00+OK hello\r\n",
		}},
		{"SOCKS5, IPv4", "socks5", "192.0.2.1:110", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x6e", "\x05\x00\x00\x03\x01h\x00\x00+OK hello\r\n",
		}},
		{"SOCKS5, IPv6", "socks5", "[2001:db8::1]:110", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x6e",
			"\x05\x00\x00\x04" + strings.Repeat("\x00", 18) + "+OK hello\r\n",
		}},
		{"HTTP", "http", "mail.example.org:995", []string{request, "HTTP/1.1 200 Connection established\r\n\r\n+OK hello\r\n"}},
		{"HTTP/1.0", "http", "mail.example.org:995", []string{request, "HTTP/1.0 200 OK\r\nX: y\r\n\r\n+OK hello\r\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dial, err := New(tt.scheme + "://" + peer(t, tt.pairs...))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := dial(t.Context(), "tcp", tt.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, err := bufio.NewReader(conn).ReadString('\n'); got != "+OK hello\r\n" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scheme string
		pairs        []string
		want         string
	}{
		{"not SOCKS5", "socks5", []string{"\x05\x01\x00", "\x04\x00"}, "it does not speak SOCKS5"},
		{"signing in", "socks5", []string{"\x05\x01\x00", "\x05\xff"}, "it wants us to sign in, which is not supported"},
		{"refused", "socks5", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x05\x00\x01"}, "it cannot connect: connection refused"},
		{"an unknown reply", "socks5", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x63\x00\x01"}, "it cannot connect: reply 99"},
		{"an unknown kind of address", "socks5", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x00\x00\x09"}, "its answer cannot be understood"},
		{"forbidden", "http", []string{request, "HTTP/1.1 403 No\r\n\r\n"}, `it answered "403 No"`},
		{"not HTTP", "http", []string{request, "+OK hello\r\n\r\n"}, "its answer cannot be understood"},
		{"endless", "http", []string{request, "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", maxHead)}, "its answer cannot be understood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dial, err := New(tt.scheme + "://" + peer(t, tt.pairs...))
			if err != nil {
				t.Fatal(err)
			}
			if conn, err := dial(t.Context(), "tcp", "mail.example.org:995"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v %v, want %q", conn, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "socks5://", "socks5://host", "https://host:1", "::"} {
		if _, err := New(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A proxy that says nothing is not waited for longer than the context lasts.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"socks5", "http"} {
		ctx, cancel := context.WithCancel(t.Context())
		first := "\x05\x01\x00"
		if scheme == "http" {
			first = request
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.ReadFull(conn, make([]byte, len(first)))
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		}()
		dial, err := New(fmt.Sprintf("%s://%s", scheme, l.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(ctx, "tcp", "mail.example.org:995"); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v", scheme, err)
		}
		_ = l.Close()
		<-done
	}
}
