package pop3server_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

// TestEndsWithoutQuit: whatever ends a session, without QUIT nothing is removed and the lock comes free (S-018, S-021).
func TestEndsWithoutQuit(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		implicitTLS bool
		end         func(t *testing.T, s *testServer, p *peer)
		want        pop3server.Reason
	}{
		"FIN": {false, func(_ *testing.T, _ *testServer, p *peer) { _ = p.nc.Close() }, pop3server.ReasonClosed},
		"RST": {false, func(t *testing.T, _ *testServer, p *peer) {
			if err := p.nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			_ = p.nc.Close()
		}, pop3server.ReasonClosed},
		"RST in the middle of a reply": {false, func(t *testing.T, _ *testServer, p *peer) {
			p.send("RETR 1\r\nRETR 2\r\nRETR 3\r\n")
			if err := p.nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			_ = p.nc.Close()
		}, pop3server.ReasonClosed},
		"TLS alert":            {true, func(_ *testing.T, _ *testServer, p *peer) { _ = p.nc.Close() }, pop3server.ReasonClosed},
		"TLS without an alert": {true, func(_ *testing.T, _ *testServer, p *peer) { _ = p.nc.(*tls.Conn).NetConn().Close() }, pop3server.ReasonClosed},
		"server stops":         {false, func(t *testing.T, s *testServer, _ *peer) { _ = s.Shutdown(t.Context()) }, pop3server.ReasonShutdown},
		"server is closed":     {false, func(_ *testing.T, s *testServer, _ *peer) { _ = s.Close() }, pop3server.ReasonShutdown},
		"too many mistakes": {false, func(_ *testing.T, _ *testServer, p *peer) {
			for range 21 {
				p.cmd("QUIT now", "-ERR ")
			}
		}, pop3server.ReasonAbuse},
	}
	for name, tt := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum := make(chan pop3server.Summary, 2)
			s := start(t, func(o *pop3server.Options) {
				o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s }
			})
			p := dial(t, s.tcp(t, tt.implicitTLS))
			if tt.implicitTLS {
				p.startTLS(nil)
			}
			p.signedIn()
			p.cmd("DELE 1", "+OK ")
			tt.end(t, s, p)
			if got := <-sum; got.Reason != tt.want || got.Removed != 0 || got.Deleted != 1 {
				t.Errorf("summary %+v", got)
			}
			if n := s.count(); n != 3 {
				t.Errorf("%d messages left", n)
			}
			if tt.want == pop3server.ReasonShutdown {
				return
			}
			q := dial(t, s.tcp(t, false)).signedIn()
			q.quit()
		})
	}
}

// A guillotine lets only so many octets more pass and then closes.
type guillotine struct {
	net.Conn
	left int // negative: all
}

func (g *guillotine) Write(p []byte) (int, error) {
	if g.left < 0 {
		return g.Conn.Write(p)
	}
	n := min(g.left, len(p))
	_, _ = g.Conn.Write(p[:n])
	if g.left -= n; g.left == 0 {
		_ = g.Conn.Close()
	}
	return len(p), nil
}

// TestCutRecord: a TLS record that carries QUIT and is cut is no QUIT; one that is whole is, also without close_notify
// behind it (S-023).
func TestCutRecord(t *testing.T) {
	t.Parallel()
	const record = 5 + len("QUIT\r\n") + 1 + 16 // header, content type and tag of TLS 1.3
	for cut := 1; cut <= record; cut++ {
		s := start(t, nil)
		client, server := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.ServeConnTLS(server) })
		g := &guillotine{Conn: client, left: -1}
		p := newPeer(t, g)
		p.startTLS(nil)
		p.signedIn()
		p.cmd("DELE 1", "+OK ")
		g.left = cut
		p.send("QUIT\r\n")
		_, _ = io.Copy(io.Discard, p.r)
		wg.Wait()
		want := 3
		if cut == record {
			want = 2
		}
		if n := s.count(); n != want {
			t.Errorf("cut after %d of %d octets: %d messages left, want %d", cut, record, n, want)
		}
	}
}
