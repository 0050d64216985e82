// Package delay puts latency between a client and a server on one machine, for kernels without netem: a proxy through
// which octets need a fixed time in each direction, at any rate.
package delay

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	piece = 32 << 10
	// inFlight bounds what is on the way in one direction: 8 MiB, which is more than the sockets' buffers.
	inFlight = 256
)

// A Proxy accepts connections at Addr and connects each to a server.
type Proxy struct {
	Addr string

	l      net.Listener
	target string
	rtt    time.Duration
	conns  sync.WaitGroup
	stop   context.CancelFunc
}

// Start listens on a free port of the loopback. What goes through needs half of rtt in each direction, and connecting
// needs one rtt as well.
func Start(target string, rtt time.Duration) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{Addr: l.Addr().String(), l: l, target: target, rtt: rtt, stop: stop}
	p.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Go(func() { p.serve(ctx, c) })
		}
	})
	return p, nil
}

// Close cuts all connections and waits for them to end.
func (p *Proxy) Close() error {
	err := p.l.Close()
	p.stop()
	p.conns.Wait()
	return err
}

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	select {
	case <-ctx.Done():
		return
	case <-time.After(p.rtt):
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	cut := context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer cut()
	var both sync.WaitGroup
	both.Go(func() { carry(server, client, p.rtt/2) })
	both.Go(func() { carry(client, server, p.rtt/2) })
	both.Wait()
}

// carry copies, each octet d after it was read, and hands the end on.
func carry(to, from net.Conn, d time.Duration) {
	type chunk struct {
		due  time.Time
		data []byte
	}
	way := make(chan chunk, inFlight)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(way)
		for {
			buf := make([]byte, piece)
			n, err := from.Read(buf)
			way <- chunk{time.Now().Add(d), buf[:n]}
			if err != nil {
				return
			}
		}
	})
	var err error
	for c := range way {
		time.Sleep(time.Until(c.due))
		if err == nil {
			if _, err = to.Write(c.data); err != nil {
				_ = from.Close() // nobody listens: the reader ends, too
			}
		}
	}
	reader.Wait()
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	} else {
		_ = to.Close()
	}
}
