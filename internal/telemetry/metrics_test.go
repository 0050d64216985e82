package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMetricsPage(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{Version: "1.2.3", Revision: "abc", GoVersion: "go1.26"})
	m.CertificateExpiry(func() time.Time { return time.Unix(2_000_000_000, 0) })
	m.ConnOpened("pop3")
	m.ConnOpened("pop3s")
	m.ConnClosed("pop3")
	m.ConnRefused("address")
	m.SignIn("SCRAM-SHA-256", SignInOK)
	m.SignIn("PASS", SignInWrong)
	m.Command("RETR", 3*time.Millisecond, false)
	m.Command("RETR", 5*time.Millisecond, true)
	m.SessionEnded(Session{Reason: "quit", Duration: time.Second, OctetsIn: 100, OctetsOut: 2000, Retrieved: 3, Topped: 1, Deleted: 2})
	m.Delivery(DeliveryStored)
	m.Delivered(4096)
	m.Commit(CommitDelivery, time.Millisecond)
	page := scrape(t, m)
	for _, want := range []string{
		`postamt_build_info{goversion="go1.26",revision="abc",version="1.2.3"} 1`,
		`postamt_tls_certificate_expiry_timestamp_seconds 2e+09`,
		`postamt_connections_open{listener="pop3"} 0`,
		`postamt_connections_open{listener="pop3s"} 1`,
		`postamt_connections_total{listener="pop3"} 1`,
		`postamt_connections_refused_total{limit="address"} 1`,
		`postamt_sign_ins_total{mechanism="SCRAM-SHA-256",result="ok"} 1`,
		`postamt_sign_ins_total{mechanism="PASS",result="wrong"} 1`,
		`postamt_command_seconds_count{command="RETR"} 2`,
		`postamt_command_errors_total{command="RETR"} 1`,
		`postamt_sessions_total{reason="quit"} 1`,
		`postamt_session_seconds_sum 1`,
		`postamt_received_octets_total 100`,
		`postamt_sent_octets_total 2000`,
		`postamt_messages_retrieved_total 3`,
		`postamt_messages_topped_total 1`,
		`postamt_messages_deleted_total 2`,
		`postamt_deliveries_total{result="stored"} 1`,
		`postamt_delivered_octets_total 4096`,
		`postamt_store_commits_total{kind="delivery"} 1`,
		`postamt_store_commit_seconds_count 1`,
		`go_goroutines`,
		`process_open_fds`,
	} {
		if !strings.Contains(page, "\n"+want) {
			t.Errorf("%s is not on the page", want)
		}
	}
}

// Whatever clients say, the page does not grow.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	before := strings.Count(scrape(t, m), "\npostamt_")
	for i := range 1000 {
		s := fmt.Sprintf("X%d\n\"", i)
		m.ConnOpened(s)
		m.ConnRefused(s)
		m.SignIn(s, s)
		m.Command(s, time.Duration(i), true)
		m.SessionEnded(Session{Reason: s, OctetsIn: -1})
		m.Delivery(s)
		m.Delivered(-1)
		m.Commit(s, 0)
	}
	page := scrape(t, m)
	if after := strings.Count(page, "\npostamt_"); after != before || strings.Contains(page, "X1") {
		t.Errorf("the page grew from %d to %d lines", before, after)
	}
	if !strings.Contains(page, `postamt_command_errors_total{command="other"} 1000`) {
		t.Error("unknown verbs are not counted as other")
	}
}

func TestNilMetrics(t *testing.T) {
	t.Parallel()
	var m *Metrics
	m.CertificateExpiry(nil)
	m.ConnOpened("")
	m.ConnClosed("")
	m.ConnRefused("")
	m.SignIn("", "")
	m.Command("", 0, true)
	m.SessionEnded(Session{})
	m.Delivery("")
	m.Delivered(1)
	m.Commit("", 0)
}

func TestCountingDoesNotAllocate(t *testing.T) {
	m := NewMetrics(Build{})
	n := testing.AllocsPerRun(100, func() {
		m.ConnOpened("pop3")
		m.Command("STAT", time.Millisecond, false)
		m.Command("XYZZY", time.Millisecond, true)
		m.SignIn("PLAIN", SignInOK)
		m.SessionEnded(Session{Reason: "quit"})
		m.ConnClosed("pop3")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var disk error
	now := time.Now()
	h := NewHealth(nil, func() time.Time { return now })
	h.Register("catalog", func(context.Context) error { return nil })
	h.Register("store", func(context.Context) error { return disk })
	asked := 0
	h.Register("panics", func(context.Context) error {
		if asked++; disk != nil {
			panic("at the disk")
		}
		return nil
	})
	get := func() (int, string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
		return w.Code, w.Body.String()
	}
	if code, body := get(); code != 200 || body != "ok\ncatalog: ok\nstore: ok\npanics: ok\n" {
		t.Errorf("all well: %d %q", code, body)
	}
	disk = errors.New("/srv/secret/path: no space left")
	if code, _ := get(); code != 200 || asked != 1 {
		t.Errorf("within a second the answer is the old one: %d, asked %d times", code, asked)
	}
	now = now.Add(healthAge)
	if code, body := get(); code != 503 || body != "failing\ncatalog: ok\nstore: failed\npanics: failed\n" {
		t.Errorf("disk full: %d %q", code, body)
	}
	disk = nil
	now = now.Add(healthAge)
	if code, body := get(); code != 200 {
		t.Errorf("space again: %d %q", code, body)
	}
}

// A disk that hangs makes one goroutine wait, not one for each question.
func TestHealthOfWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(nil, nil)
		release := make(chan struct{})
		var asked atomic.Int32
		h.Register("disk", func(context.Context) error {
			asked.Add(1)
			<-release
			return nil
		})
		for range 3 {
			start := time.Now()
			lines, well := h.Check(t.Context())
			if well || lines[0] != "disk: no answer" || time.Since(start) != healthTimeout {
				t.Errorf("got %v, %v after %v", lines, well, time.Since(start))
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
		close(release)
		synctest.Wait()
		time.Sleep(healthAge)
		if lines, well := h.Check(t.Context()); !well {
			t.Errorf("after it came back: %v", lines)
		}
		if err := h.wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(NewMetrics(Build{}), NewHealth(nil, nil), nil)
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/": 404, "/debug/pprof/": 404} {
		resp, err := client.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	resp, err := client.Post("http://"+l.Addr().String()+"/metrics", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	client.CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A client that does not finish its question, or does not ask another, is cut off.
func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, sends string
		after       time.Duration
	}{
		{"no question", "", 5 * time.Second},
		{"half a question", "GET /healthz HTTP/1.1\r\nHost: a", 5 * time.Second},
		{"no next question", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 2 * time.Minute},
		{"endless header", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10), 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			l := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
			l.conns <- far
			s := NewServer(NewMetrics(Build{}), NewHealth(nil, nil), nil)
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			start := time.Now()
			go func() { _, _ = io.WriteString(near, tt.sends) }()
			if _, err := io.Copy(io.Discard, near); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			// After a header that is too large, net/http lingers for half a second.
			if took := time.Since(start); took < tt.after || took > tt.after+time.Second {
				t.Errorf("%s: cut after %v, want %v", tt.name, took, tt.after)
			}
			near.Close()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// pipeListener accepts connections made elsewhere.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { close(l.closed); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// Idle connections take slots; when all are taken, the next one waits until one is free, and Close ends the waiting.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &boundedListener{Listener: inner, slots: make(chan struct{}, 2), closed: make(chan struct{})}
	accepted := make(chan net.Conn)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	var peers []net.Conn
	for range 3 {
		peer, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, peer)
	}
	first, second := <-accepted, <-accepted
	if len(l.slots) != 2 {
		t.Errorf("%d slots taken", len(l.slots))
	}
	select {
	case <-accepted:
		t.Error("a third connection got in")
	default:
	}
	first.Close()
	first.Close() // gives back one slot, not two
	third := <-accepted
	if len(l.slots) != 2 {
		t.Errorf("%d slots taken", len(l.slots))
	}
	l.Close()
	<-done
	for _, c := range append(peers, second, third) {
		c.Close()
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	NewServer(m, NewHealth(nil, nil), nil).http.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return "\n" + w.Body.String()
}
