package scan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/scan"
	"github.com/postamt/postamt/internal/testpeers"
)

// The real scanners say that they are there.
func TestReady(t *testing.T) {
	t.Parallel()
	r, err := scan.NewRspamd(scan.RspamdOptions{Address: testpeers.StartRspamd(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := &scan.Policy{Clamd: &scan.Clamd{Network: "unix", Address: testpeers.StartClamd(t)}, Rspamd: r}
	if err := p.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// What is not there, does not speak, or speaks of something else is not ready, and one sentence says what to do.
func TestNotReady(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	rspamd := func(address string) *scan.Rspamd {
		r, err := scan.NewRspamd(scan.RspamdOptions{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	clamd := func(answer string) *scan.Clamd {
		return &scan.Clamd{Network: "tcp", Address: "clamd.example:3310", Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				_, _ = io.ReadFull(theirs, make([]byte, len("zPING\x00")))
				_, _ = io.WriteString(theirs, answer)
				_ = theirs.Close()
			}()
			return ours, nil
		}}
	}
	for _, test := range []struct {
		name   string
		status int
		policy scan.Policy
		want   string // of the error, or "" for ready
	}{
		{"no clamd", 0, scan.Policy{Clamd: &scan.Clamd{Network: "unix", Address: "/nonexistent/clamd.ctl"}}, "clamd at unix:/nonexistent/clamd.ctl does not answer"},
		{"clamd", 0, scan.Policy{Clamd: clamd("PONG\x00")}, ""},
		{"a clamd that hangs up", 0, scan.Policy{Clamd: clamd("")}, "clamd at clamd.example:3310 does not answer"},
		{"no clamd at all", 0, scan.Policy{Clamd: clamd("220 mail.example.com ESMTP\r\n" + strings.Repeat("x", 1<<20))}, `220_mail.example.com_ESMTP`},
		{"no rspamd", 0, scan.Policy{Rspamd: rspamd("unix:/nonexistent/rspamd.sock")}, "rspamd at unix:/nonexistent/rspamd.sock does not answer"},
		{"rspamd", 200, scan.Policy{Rspamd: rspamd(server.URL)}, ""},
		{"an rspamd that knows no ping", 404, scan.Policy{Rspamd: rspamd(server.URL)}, ""},
		{"nothing behind a proxy", 502, scan.Policy{Rspamd: rspamd(server.URL)}, "502"},
		{"mail passes unscanned", 502, scan.Policy{Clamd: clamd(""), Rspamd: rspamd(server.URL), DeliverUnscanned: true}, ""},
	} {
		t.Run(test.name, func(t *testing.T) { // one after the other: they share the server
			status = test.status
			err := test.policy.Ready(t.Context())
			switch {
			case test.want == "" && err == nil:
			case err == nil || test.want == "" || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `scan_down = "deliver"`):
				t.Errorf("got %v, want %q", err, test.want)
			case len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x00\r\n"):
				t.Errorf("not fit to be shown: %q", err)
			}
		})
	}
}

// One that is silent is waited for ten seconds, and about a message as long as it may take. The error says so.
func TestSilentScanner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &scan.Clamd{Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, theirs)
				_ = theirs.Close()
			}()
			return ours, nil
		}}
		p := &scan.Policy{Clamd: c}
		begun := time.Now()
		if err := p.Ready(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		_, err := p.Scan(t.Context(), collect.Letter{}, section(clean))
		if want := "clamd: it gave no answer within 2m0s"; collect.Classify(err) != collect.Temporary || err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// A password that is missing or wrong needs a person, one that cannot be had now does not, and neither is a message's fault.
func TestRspamdPassword(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/checkv2" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	for _, test := range []struct {
		name        string
		err         error
		ready, scan collect.Class
	}{
		{"none", errors.New("no such file"), collect.Permanent, collect.Permanent},
		{"not yet", &collect.TemporaryError{Err: errors.New("the keyring is locked")}, collect.Temporary, collect.Temporary},
		{"wrong", nil, collect.OK, collect.Permanent},
	} {
		r, err := scan.NewRspamd(scan.RspamdOptions{
			Address: server.URL, Password: func(context.Context) (string, error) { return "secret", test.err },
		})
		if err != nil {
			t.Fatal(err)
		}
		p := &scan.Policy{Rspamd: r}
		ready := p.Ready(t.Context())
		_, scanned := p.Scan(t.Context(), collect.Letter{}, section(clean))
		if collect.Classify(ready) != test.ready || collect.Classify(scanned) != test.scan {
			t.Errorf("%s: %v; %v", test.name, ready, scanned)
		}
		for _, err := range []error{ready, scanned} {
			if err != nil && (!strings.Contains(err.Error(), "rspamd_password") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		r.Close()
	}
}
