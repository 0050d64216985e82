package pop3client

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrProxyAuth: a proxy wants a sign-in that it did not get, or refused it.
var ErrProxyAuth = errors.New("it refused the sign-in")

// ProxyDialer returns a function for Options.DialContext that goes through a proxy: "socks5://[user@]host:port" (RFC 1928,
// with a user RFC 1929) or "http://[user@]host:port" (CONNECT, RFC 9110 §9.3.6, with a user RFC 7617). Names of hosts are
// resolved by the proxy.
//
// password is asked at each connection if there is a user, and else may be nil. It goes to the proxy in the clear: the
// proxy must be on a network that is trusted. A password in the URL is refused.
func ProxyDialer(proxyURL string, password func(ctx context.Context) (string, error)) (func(ctx context.Context, network, addr string) (net.Conn, error), error) {
	u, err := url.Parse(proxyURL)
	// What cannot be read is not shown: there may be a password in it.
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New(`pop3client: a proxy is written as "socks5://HOST:PORT" or "http://HOST:PORT"`)
	}
	p := proxy{address: u.Host, user: u.User.Username(), password: password}
	if _, has := u.User.Password(); has {
		return nil, errors.New("pop3client: a proxy's URL must not have a password in it")
	}
	switch u.Scheme {
	case "socks5":
		p.ask = p.socks5
	case "http":
		p.ask = p.connect
		if strings.Contains(p.user, ":") {
			return nil, errors.New(`pop3client: the name of a user of an HTTP proxy cannot have a ":" in it`)
		}
	default:
		return nil, fmt.Errorf("pop3client: %.20q is not a kind of proxy, there are socks5 and http", u.Scheme)
	}
	if p.user == "" && u.User != nil || p.user != "" && password == nil {
		return nil, errors.New("pop3client: a sign-in to a proxy needs both a user and a password")
	}
	return p.dial, nil
}

// maxProxyName is the longest host, user and password that SOCKS5 can say, in octets.
const maxProxyName = 255

// maxProxyHead bounds the head of the answer to CONNECT, in octets.
const maxProxyHead = 64 << 10

type proxy struct {
	address  string
	user     string
	password func(context.Context) (string, error)
	ask      func(conn net.Conn, addr, password string) (net.Conn, error)
}

func (p *proxy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var password string
	if p.user != "" {
		var err error
		if password, err = p.password(ctx); err != nil {
			return nil, fmt.Errorf("password for proxy %s: %w", p.address, err)
		}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, p.address)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	through, err := p.ask(conn, addr, password)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("proxy %s: %w", p.address, err), conn.Close())
	}
	return through, nil
}

// socks5 asks for a connection by RFC 1928.
func (p *proxy) socks5(conn net.Conn, addr, password string) (net.Conn, error) {
	request, err := socks5Request(addr)
	if err != nil {
		return nil, err
	}
	const none, userPassword = 0, 2
	method := byte(none)
	if p.user != "" {
		method = userPassword // and nothing else: a proxy that lets anybody in may not be the right one
	}
	if _, err := conn.Write([]byte{5, 1, method}); err != nil {
		return nil, err
	}
	var reply [4]byte
	if _, err := io.ReadFull(conn, reply[:2]); err != nil {
		return nil, err
	}
	switch {
	case reply[0] != 5:
		return nil, errors.New("it does not speak SOCKS5")
	case reply[1] != method && p.user == "":
		return nil, fmt.Errorf("%w: it wants a user and a password", ErrProxyAuth)
	case reply[1] != method:
		return nil, fmt.Errorf("%w: it does not take a user and a password", ErrProxyAuth)
	case method == userPassword:
		if err := socks5SignIn(conn, p.user, password); err != nil {
			return nil, err
		}
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return nil, err
	}
	if reply[1] != 0 {
		return nil, fmt.Errorf("it cannot connect: %s", socks5Reply(reply[1]))
	}
	var rest int64 // the bound address and port, which nobody needs
	switch reply[3] {
	case 1:
		rest = 4 + 2
	case 4:
		rest = 16 + 2
	case 3:
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return nil, err
		}
		rest = int64(n[0]) + 2
	default:
		return nil, errors.New("its answer cannot be understood")
	}
	_, err = io.CopyN(io.Discard, conn, rest)
	return conn, err
}

// socks5Request returns the request for a connection to addr.
func socks5Request(addr string) ([]byte, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || host == "" || len(host) > maxProxyName {
		return nil, errors.New("the address cannot be asked for")
	}
	request := []byte{5, 1, 0} // connect
	if ip, err := netip.ParseAddr(host); err != nil {
		request = append(append(request, 3, byte(len(host))), host...)
	} else if ip = ip.Unmap(); ip.Is4() {
		request = append(append(request, 1), ip.AsSlice()...)
	} else {
		request = append(append(request, 4), ip.AsSlice()...)
	}
	return append(request, byte(port>>8), byte(port)), nil
}

// socks5SignIn sends user and password (RFC 1929).
func socks5SignIn(conn net.Conn, user, password string) error {
	if password == "" || len(user) > maxProxyName || len(password) > maxProxyName {
		return fmt.Errorf("user and password for SOCKS5 must have 1 to %d octets", maxProxyName)
	}
	request := append([]byte{1, byte(len(user))}, user...)
	request = append(append(request, byte(len(password))), password...)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var reply [2]byte
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return err
	}
	if reply[1] != 0 {
		return ErrProxyAuth
	}
	return nil
}

func socks5Reply(code byte) string {
	texts := []string{
		1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable", 5: "connection refused",
		6: "timed out on the way", 7: "command not supported", 8: "kind of address not supported",
	}
	if int(code) < len(texts) {
		return texts[code]
	}
	return "reply " + strconv.Itoa(int(code))
}

// connect asks an HTTP proxy for a tunnel. It is not done by net/http, which would make the library's users' programs
// larger by megabytes.
func (p *proxy) connect(conn net.Conn, addr, password string) (net.Conn, error) {
	if strings.ContainsAny(addr, " \r\n") {
		return nil, errors.New("the address cannot be asked for")
	}
	request := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if p.user != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	r := bufio.NewReader(&io.LimitedReader{R: conn, N: maxProxyHead})
	head := textproto.NewReader(r)
	line, err := head.ReadLine()
	if err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	version, status, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(version, "HTTP/1.") || len(status) < 3 {
		return nil, errors.New("its answer cannot be understood")
	}
	if strings.HasPrefix(status, "407") || strings.HasPrefix(status, "401") { // tinyproxy 1.11 says 401 to a wrong password
		return nil, fmt.Errorf("%w: %.100q", ErrProxyAuth, status)
	}
	if status[0] != '2' {
		return nil, fmt.Errorf("it answered %.100q", status)
	}
	for line != "" { // an answer of 2xx to CONNECT has no body (RFC 9110 §9.3.6)
		if line, err = head.ReadLine(); err != nil {
			return nil, fmt.Errorf("its answer cannot be read: %w", err)
		}
	}
	start, err := r.Peek(r.Buffered())
	if err != nil || len(start) == 0 {
		return conn, err
	}
	return &begun{conn, start}, nil // the server spoke at once
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	start []byte
}

func (c *begun) Read(p []byte) (int, error) {
	if len(c.start) > 0 {
		n := copy(p, c.start)
		c.start = c.start[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
