package pop3client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3client"
)

// proxyPeer plays a proxy: it reads and compares what it expects, and sends what comes next, in pairs.
func proxyPeer(t *testing.T, pairs ...string) (address string) {
	t.Helper()
	return testpeers.Listen(t, func(conn net.Conn) {
		for i := 0; i < len(pairs); i += 2 {
			got := make([]byte, len(pairs[i]))
			if n, err := io.ReadFull(conn, got); err != nil || string(got) != pairs[i] {
				t.Errorf("got %q (%v), want %q", got[:n], err, pairs[i])
				return
			}
			_, _ = io.WriteString(conn, pairs[i+1])
		}
		_, _ = io.Copy(io.Discard, conn)
	})
}

func proxyPassword(context.Context) (string, error) { return "sesame", nil }

const connectRequest = "CONNECT mail.example.org:995 HTTP/1.1\r\nHost: mail.example.org:995\r\n\r\n"

// Through each kind of proxy, the server's first words come whole, also if they come with the proxy's own.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scheme, user, addr string
		pairs                    []string
	}{
		{"SOCKS5, a name", "socks5", "", "mail.example.org:995", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00+OK hello\r\n",
		}},
		{"SOCKS5, IPv4", "socks5", "", "192.0.2.1:110", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x6e", "\x05\x00\x00\x03\x01h\x00\x00+OK hello\r\n",
		}},
		{"SOCKS5, IPv6", "socks5", "", "[2001:db8::1]:110", []string{
			"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x6e",
			"\x05\x00\x00\x04" + strings.Repeat("\x00", 18) + "+OK hello\r\n",
		}},
		{"HTTP", "http", "", "mail.example.org:995", []string{connectRequest, "HTTP/1.1 200 Connection established\r\n\r\n+OK hello\r\n"}},
		{"SOCKS5, signing in", "socks5", "b%40b@", "192.0.2.1:110", []string{
			"\x05\x01\x02", "\x05\x02", "\x01\x03b@b\x06sesame", "\x01\x00",
			"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x6e", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00+OK hello\r\n",
		}},
		{"HTTP, signing in", "http", "bob@", "mail.example.org:995", []string{
			strings.TrimSuffix(connectRequest, "\r\n") + "Proxy-Authorization: Basic Ym9iOnNlc2FtZQ==\r\n\r\n",
			"HTTP/1.1 200 Connection established\r\n\r\n+OK hello\r\n",
		}},
		{"HTTP/1.0", "http", "", "mail.example.org:995", []string{connectRequest, "HTTP/1.0 200 OK\r\nX: y\r\n\r\n+OK hello\r\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dial, err := pop3client.ProxyDialer(tt.scheme+"://"+tt.user+proxyPeer(t, tt.pairs...), proxyPassword)
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

func TestProxyRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scheme, user string
		pairs              []string
		want               string
	}{
		{"not SOCKS5", "socks5", "", []string{"\x05\x01\x00", "\x04\x00"}, "it does not speak SOCKS5"},
		{"signing in", "socks5", "", []string{"\x05\x01\x00", "\x05\xff"}, "it refused the sign-in: it wants a user and a password"},
		{"no signing in", "socks5", "bob@", []string{"\x05\x01\x02", "\x05\xff"}, "it refused the sign-in: it does not take a user and a password"},
		{"lets anybody in", "socks5", "bob@", []string{"\x05\x01\x02", "\x05\x00"}, "it refused the sign-in: it does not take a user and a password"},
		{"wrong password", "socks5", "bob@", []string{"\x05\x01\x02", "\x05\x02", "\x01\x03bob\x06sesame", "\x01\x01"}, "it refused the sign-in"},
		{"a user too long", "socks5", strings.Repeat("b", 256) + "@", []string{"\x05\x01\x02", "\x05\x02"}, "1 to 255 octets"},
		{"HTTP wants signing in", "http", "", []string{connectRequest, "HTTP/1.1 407 Sign in\r\n\r\n"}, `it refused the sign-in: "407 Sign in"`},
		{"refused", "socks5", "", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x05\x00\x01"}, "it cannot connect: connection refused"},
		{"an unknown reply", "socks5", "", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x63\x00\x01"}, "it cannot connect: reply 99"},
		{"an unknown kind of address", "socks5", "", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x10mail.example.org\x03\xe3", "\x05\x00\x00\x09"}, "its answer cannot be understood"},
		{"forbidden", "http", "", []string{connectRequest, "HTTP/1.1 403 No\r\n\r\n"}, `it answered "403 No"`},
		{"HTTP refuses the sign-in (tinyproxy)", "http", "", []string{connectRequest, "HTTP/1.1 401 Unauthorized\r\n\r\n"}, `it refused the sign-in: "401 Unauthorized"`},
		{"not HTTP", "http", "", []string{connectRequest, "+OK hello\r\n\r\n"}, "its answer cannot be understood"},
		{"no status", "http", "", []string{connectRequest, "HTTP/1.1 2\r\n\r\n"}, "its answer cannot be understood"},
		{"endless", "http", "", []string{connectRequest, "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 64<<10)}, "its answer cannot be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dial, err := pop3client.ProxyDialer(tt.scheme+"://"+tt.user+proxyPeer(t, tt.pairs...), proxyPassword)
			if err != nil {
				t.Fatal(err)
			}
			if conn, err := dial(t.Context(), "tcp", "mail.example.org:995"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v %v, want %q", conn, err, tt.want)
			}
		})
	}
}

// What cannot be a proxy is refused at once, and no password is shown.
func TestProxyURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "socks5://", "socks5://host", "https://host:1", "::", "socks5://host:1/x", "http://host:1?x",
		"socks5://bob:hunter2@host:1", "socks5://bob:hunter2@host:x", "http://bob%3Ahunter2@host:1", "socks5://@host:1",
	} {
		if _, err := pop3client.ProxyDialer(bad, proxyPassword); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := pop3client.ProxyDialer("socks5://bob@host:1", nil); err == nil {
		t.Error("a user without a password is taken")
	}
	failing := func(context.Context) (string, error) { return "", io.ErrNoProgress }
	dial, err := pop3client.ProxyDialer("socks5://bob@127.0.0.1:1", failing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context(), "tcp", "192.0.2.1:110"); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("without the password: %v", err)
	}
}

// A refused sign-in can be told from other failures through Dial.
func TestProxyAuthError(t *testing.T) {
	t.Parallel()
	dial, err := pop3client.ProxyDialer("http://"+proxyPeer(t, connectRequest, "HTTP/1.1 407 Sign in\r\n\r\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pop3client.Dial(t.Context(), "mail.example.org", &pop3client.Options{DialContext: dial})
	var conn *pop3client.ConnError
	if !errors.Is(err, pop3client.ErrProxyAuth) || !errors.As(err, &conn) {
		t.Errorf("got %v", err)
	}
}

// A proxy that says nothing is not waited for longer than the context lasts.
func TestProxyEnds(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"socks5", "http"} {
		ctx, cancel := context.WithCancel(t.Context())
		first := "\x05\x01\x00"
		if scheme == "http" {
			first = connectRequest
		}
		proxy := testpeers.Listen(t, func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, len(first)))
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		})
		dial, err := pop3client.ProxyDialer(scheme+"://"+proxy, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(ctx, "tcp", "mail.example.org:995"); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v", scheme, err)
		}
	}
}

func ExampleProxyDialer() {
	password := func(context.Context) (string, error) { return "from a safe place", nil }
	dial, err := pop3client.ProxyDialer("socks5://bob@proxy.example.net:1080", password)
	if err != nil {
		fmt.Println(err)
		return
	}
	opt := &pop3client.Options{DialContext: dial}
	fmt.Println(opt.Security, "through the proxy")
	// Output: tls through the proxy
}
