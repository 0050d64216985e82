package discover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	autoconfigPath = "/mail/config-v1.1.xml"
	wellKnownPath  = "/.well-known/autoconfig/mail/config-v1.1.xml"
)

func urls(all []Candidate) []string {
	var list []string
	for _, c := range all {
		s := c.URL()
		if c.Confirm != "" {
			s += "!"
		}
		list = append(list, s)
	}
	return list
}

func only(text string, paths ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(paths, r.Host+r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}
}

// Each place is asked in its turn, and the first that knows ends the search.
func TestOrder(t *testing.T) {
	t.Parallel()
	doc := func(host string) string { return config(incomingServer("pop3", "hostname", host)) }
	hosts := []string{"autoconfig.example.net", "example.net", "db.example.com", "autoconfig.example.org", "pop.example.net", "mail.example.net"}
	for _, tt := range []struct {
		name  string
		setup func(*testing.T, *world)
		want  []string
		from  Origin
	}{
		{"autoconfig", func(t *testing.T, w *world) {
			w.serve(t, only(doc("a.example.net"), "autoconfig.example.net"+autoconfigPath), hosts...)
			w.srv("pop3s", "example.net", 0, 0, 995, "b.example.net.")
		}, []string{"pop3s://a.example.net"}, FromAutoconfig},
		{"well-known", func(t *testing.T, w *world) {
			w.serve(t, only(doc("a.example.net"), "example.net"+wellKnownPath), hosts...)
			w.srv("pop3s", "example.net", 0, 0, 995, "b.example.net.")
		}, []string{"pop3s://a.example.net"}, FromAutoconfig},
		{"the domain may name a server of others", func(t *testing.T, w *world) {
			w.serve(t, only(doc("pop.example.org"), "example.net"+wellKnownPath), hosts...)
		}, []string{"pop3s://pop.example.org"}, FromAutoconfig},
		{"database", func(t *testing.T, w *world) {
			w.serve(t, only(doc("pop.example.org"), "db.example.com/v1.1/example.net"), hosts...)
			w.srv("pop3s", "example.net", 0, 0, 995, "b.example.net.")
		}, []string{"pop3s://pop.example.org!"}, FromISPDB},
		{"SRV", func(t *testing.T, w *world) {
			w.srv("pop3s", "example.net", 0, 0, 995, "b.example.net.")
			w.mx("example.net", 10, "mx.example.org.")
		}, []string{"pop3s://b.example.net"}, FromSRV},
		{"MX", func(t *testing.T, w *world) {
			w.mx("example.net", 20, "mx.example.com.")
			w.mx("example.net", 10, "mx1.example.org.")
			w.serve(t, only(doc("pop.example.org"), "autoconfig.example.org"+autoconfigPath), hosts...)
			w.pop3(t, "pop.example.net", "995")
		}, []string{"pop3s://pop.example.org!"}, FromMX},
		{"MX at a provider that is built in", func(t *testing.T, w *world) {
			w.mx("example.net", 10, "example-net.mail.protection.outlook.com.")
		}, []string{"pop3s://outlook.office365.com!"}, FromMX},
		{"guesses, TLS first", func(t *testing.T, w *world) {
			w.mx("example.net", 10, "mail.example.net.")
			w.pop3(t, "pop.example.net", "110")
			w.pop3(t, "mail.example.net", "995", "110")
		}, []string{"pop3s://mail.example.net", "pop3://pop.example.net", "pop3://mail.example.net"}, FromGuess},
		{"a guess with another's certificate", func(t *testing.T, w *world) {
			w.pop3(t, "pop3.example.net", "995", "110")
		}, nil, ""},
		{"IMAP only, told at the end", func(t *testing.T, w *world) {
			w.serve(t, only(config(incomingServer("imap", "port", "993", "hostname", "imap.example.net")), "example.net"+wellKnownPath), hosts...)
		}, []string{"imaps://imap.example.net"}, FromAutoconfig},
		{"IMAP from one place, POP3 from another", func(t *testing.T, w *world) {
			w.serve(t, only(config(incomingServer("imap", "port", "993", "hostname", "imap.example.net")), "example.net"+wellKnownPath), hosts...)
			w.pop3(t, "pop.example.net", "995")
		}, []string{"pop3s://pop.example.net"}, FromGuess},
		{"nobody", func(*testing.T, *world) {}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosts...)
			tt.setup(t, w)
			opt := w.options()
			if tt.from == FromISPDB {
				opt.ISPDB = "https://db.example.com/v1.1/"
			}
			r := find(t, bob(t), opt)
			if diff := cmp.Diff(tt.want, urls(r.Candidates)); diff != "" {
				t.Errorf("(-want +got)\n%s\nsteps: %+v", diff, r.Steps)
			}
			for _, c := range r.Candidates {
				if c.Origin != tt.from {
					t.Errorf("from %s, want %s", c.Origin, tt.from)
				}
			}
			for _, s := range r.Steps {
				if (s.Found == 0) == (s.Problem == "") || strings.Contains(s.Where+s.Problem, "bob") {
					t.Errorf("step %+v", s)
				}
			}
		})
	}
}

// A provider that is built in is found without asking anybody.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "example.net")
	for address, want := range map[string]string{"bob@gmail.com": "pop.gmail.com", "Bob@Hotmail.com": "outlook.office365.com", "bob@yahoo.com": "pop.mail.yahoo.com"} {
		a, err := ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		r := find(t, a, w.options())
		if len(r.Candidates) != 1 || r.Candidates[0].Host != want || r.Candidates[0].Confirm != "" || !r.Candidates[0].OAuth || Provider(want) != r.Candidates[0].Provider {
			t.Errorf("%s: %+v", address, r)
		}
	}
	if len(w.dialed) > 0 {
		t.Errorf("somebody was asked: %v", w.dialed)
	}
}

// What comes over plain HTTP, if that is asked for at all, decides nothing: no word about passwords is taken, and a server
// of others must be confirmed. The address does not go out.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "unrelated.example")
	var mu sync.Mutex
	var seen []string
	page := config(incomingServer("pop3", "hostname", "pop.example.org", "authentication", "OAuth2"), `<enable visiturl="https://evil.example/"/>`)
	w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.URL.String())
		mu.Unlock()
		_, _ = rw.Write([]byte(page))
	}, "autoconfig.example.net", "example.net")
	opt := w.options()
	opt.NoMX, opt.NoGuess = true, true
	if r := find(t, bob(t), opt); len(r.Candidates) > 0 || len(seen) > 0 {
		t.Fatalf("without the option: %+v, %v", r, seen)
	}
	opt.PlainHTTP = true
	r := find(t, bob(t), opt)
	if len(r.Candidates) != 1 || r.Candidates[0].Confirm == "" || r.Candidates[0].OAuth || r.Candidates[0].Enable != "" {
		t.Errorf("%+v", r.Candidates)
	}
	if strings.Contains(strings.Join(seen, " "), "bob") {
		t.Errorf("the address went out in the clear: %v", seen)
	}
}

// The domain learns the address, and only over HTTPS; nobody else does, not even by a Referer.
func TestWhoLearnsTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "autoconfig.example.net", "example.net", "other.example.org", "autoconfig.example.org", "db.example.com")
	w.mx("example.net", 10, "mx.example.org.")
	var mu sync.Mutex
	learned := map[string]bool{}
	w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		learned[r.Host] = learned[r.Host] || strings.Contains(fmt.Sprint(r.URL, r.Header), "bob")
		if r.Host == "example.net" {
			http.Redirect(rw, r, "https://other.example.org/x", http.StatusFound)
			return
		}
		http.NotFound(rw, r)
	}, "autoconfig.example.net", "example.net", "other.example.org", "autoconfig.example.org", "db.example.com")
	opt := w.options()
	opt.ISPDB = "https://db.example.com/"
	find(t, bob(t), opt)
	want := map[string]bool{"autoconfig.example.net": true, "example.net": true, "other.example.org": false, "autoconfig.example.org": false, "db.example.com": false}
	if diff := cmp.Diff(want, learned); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Redirects are followed a few times, to https on its port and to hosts with a name only.
func TestRedirects(t *testing.T) {
	t.Parallel()
	page := config(incomingServer("pop3"))
	for _, tt := range []struct {
		name, to string
		found    bool
	}{
		{"elsewhere by https", "https://cdn.example.org/config", true},
		{"to the usual port", "https://cdn.example.org:443/config", true},
		{"three times", "https://example.net/hop/3", true},
		{"four times", "https://example.net/hop/4", false},
		{"for ever", "https://example.net" + wellKnownPath, false},
		{"to http", "http://cdn.example.org/config", false},
		{"to another port", "https://cdn.example.org:8443/config", false},
		{"to an address", "https://127.0.0.1/config", false},
		{"to this machine", "https://localhost/config", false},
		{"to IPv6", "https://[::1]/config", false},
		{"with a user", "https://a:b@cdn.example.org/config", false},
		{"to a file", "file:///etc/passwd", false},
		{"to nowhere", "https://nowhere.example.org/config", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "example.net", "cdn.example.org", "localhost", "127.0.0.1", "::1")
			w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case wellKnownPath:
					http.Redirect(rw, r, tt.to, http.StatusFound)
				case "/config", "/hop/1":
					_, _ = rw.Write([]byte(page))
				case "/hop/2":
					http.Redirect(rw, r, "/hop/1", http.StatusMovedPermanently)
				case "/hop/3":
					http.Redirect(rw, r, "/hop/2", http.StatusTemporaryRedirect)
				case "/hop/4":
					http.Redirect(rw, r, "/hop/3", http.StatusPermanentRedirect)
				}
			}, "example.net", "cdn.example.org", "localhost", "127.0.0.1", "[::1]")
			opt := w.options()
			opt.NoMX, opt.NoGuess = true, true
			r := find(t, bob(t), opt)
			if got := len(r.Candidates) == 1; got != tt.found {
				t.Errorf("found %v, want %v; steps %+v", got, tt.found, r.Steps)
			}
			for _, addr := range w.dialed {
				if !tt.found && !strings.HasPrefix(addr, "autoconfig.example.net:") && !strings.HasPrefix(addr, "example.net:") && !strings.HasPrefix(addr, "nowhere.") {
					t.Errorf("connected to %s", addr)
				}
			}
		})
	}
}

// An answer that does not end is cut off, and one that never comes ends with the context.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "example.net", "autoconfig.example.net")
	w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		for range 64 << 10 { // far more than is read; ends when nobody does
			if _, err := rw.Write([]byte(strings.Repeat("<x/>", 1<<10))); err != nil {
				return
			}
		}
	}, "example.net")
	opt := w.options()
	opt.NoMX, opt.NoGuess = true, true
	r := find(t, bob(t), opt)
	if len(r.Candidates) > 0 || !slices.ContainsFunc(r.Steps, func(s Step) bool { return strings.Contains(s.Problem, "more than") }) {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("enough")
	w.serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(gone)
		<-r.Context().Done()
	}, "autoconfig.example.net")
	if r, err := Find(ctx, bob(t), opt); !errors.Is(err, gone) || len(r.Candidates) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Files that are none are said to be so.
func TestWhatIsNoDocument(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"a page for every path": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html><p>hi</html>")) },
		"404":                   http.NotFound,
		"500":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"204":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"a huge header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
			_, _ = w.Write([]byte(config(incomingServer("pop3"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "example.net", "autoconfig.example.net")
			w.serve(t, h, "example.net", "autoconfig.example.net")
			opt := w.options()
			opt.NoMX, opt.NoGuess = true, true
			r := find(t, bob(t), opt)
			if len(r.Candidates) > 0 || r.Steps[0].Problem == "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A certificate that is good for nobody we asked for is an error like any other.
func TestWebCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "example.org")
	w.serve(t, only(config(incomingServer("pop3")), "example.net"+wellKnownPath), "example.net", "autoconfig.example.net")
	opt := w.options()
	opt.NoMX, opt.NoGuess = true, true
	if r := find(t, bob(t), opt); len(r.Candidates) > 0 || !strings.Contains(r.Steps[1].Problem, "certificate") {
		t.Errorf("%+v", r)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Candidate{
		"pop3s://h.example.net":     {Protocol: POP3, Host: "h.example.net", Port: 995, TLS: true},
		"pop3s://h.example.net:110": {Protocol: POP3, Host: "h.example.net", Port: 110, TLS: true},
		"pop3://h.example.net":      {Protocol: POP3, Host: "h.example.net", Port: 110},
		"imaps://h.example.net":     {Protocol: IMAP, Host: "h.example.net", Port: 993, TLS: true},
		"imap://h.example.net:1143": {Protocol: IMAP, Host: "h.example.net", Port: 1143},
	} {
		if got := c.URL(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
