package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// A Dialer connects, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// New returns a Dialer that goes through a proxy: "socks5://host:port" or "http://host:port". Names of hosts are resolved
// by the proxy. Signing in to the proxy is not supported.
func New(proxyURL string) (Dialer, error) {
	u, err := url.Parse(proxyURL)
	if err != nil || u.Host == "" || u.Port() == "" {
		return nil, errors.New(`proxy: it is not written as "socks5://HOST:PORT" or "http://HOST:PORT"`)
	}
	var shake func(net.Conn, string) (net.Conn, error)
	switch u.Scheme {
	case "socks5":
		shake = socks5
	case "http":
		shake = connect
	default:
		return nil, fmt.Errorf("proxy: %.20q is not a kind of proxy, there are socks5 and http", u.Scheme)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, u.Host)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		through, err := shake(conn, addr)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("proxy %s: %w", u.Host, err), conn.Close())
		}
		return through, nil
	}, nil
}

// socks5 asks for a connection without signing in.
func socks5(conn net.Conn, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || host == "" || len(host) > 255 {
		return nil, errors.New("the address cannot be asked for")
	}
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil { // version, one method: none
		return nil, err
	}
	var reply [4]byte
	if _, err := io.ReadFull(conn, reply[:2]); err != nil {
		return nil, err
	}
	if reply[0] != 5 {
		return nil, errors.New("it does not speak SOCKS5")
	}
	if reply[1] != 0 {
		return nil, errors.New("it wants us to sign in, which is not supported")
	}
	request := []byte{5, 1, 0} // connect
	if ip, err := netip.ParseAddr(host); err != nil {
		request = append(append(request, 3, byte(len(host))), host...)
	} else if ip = ip.Unmap(); ip.Is4() {
		request = append(append(request, 1), ip.AsSlice()...)
	} else {
		request = append(append(request, 4), ip.AsSlice()...)
	}
	if _, err := conn.Write(append(request, byte(port>>8), byte(port))); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return nil, err
	}
	if reply[1] != 0 {
		return nil, fmt.Errorf("it cannot connect: %s", socksReply(reply[1]))
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

func socksReply(code byte) string {
	texts := []string{
		1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable", 5: "connection refused",
		6: "timed out on the way", 7: "command not supported", 8: "kind of address not supported",
	}
	if int(code) < len(texts) {
		return texts[code]
	}
	return "reply " + strconv.Itoa(int(code))
}

// maxHead bounds the head of the answer to CONNECT, in octets.
const maxHead = 64 << 10

// connect asks an HTTP proxy for a tunnel.
func connect(conn net.Conn, addr string) (net.Conn, error) {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxHead}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, request) // a tunnel has no body
	if err != nil {
		return nil, fmt.Errorf("its answer cannot be understood: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("it answered %.100q", resp.Status)
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
