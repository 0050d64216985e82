package pop3server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

var errDisk = errors.New("disk on fire")

// A logbook is a slog.Handler's writer.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logbook) use(o *pop3server.Options) { o.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// TestBackendErrors: what the client is told when the backend fails to sign in or to open (S-015, S-152 to S-154).
func TestBackendErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"in use", fmt.Errorf("x: %w", pop3server.ErrInUse), `^-ERR \[IN-USE\] `},
		{"credentials", fmt.Errorf("x: %w", pop3server.ErrCredentials), `^-ERR \[AUTH\] `},
		{"fault", errDisk, `^-ERR \[SYS/TEMP\] internal error, ref [0-9a-f]{8}$`},
		{"own words", &pop3.Error{Code: pop3.CodeSysPerm, Text: "maildrop is damaged", Err: errDisk}, `^-ERR \[SYS/PERM\] maildrop is damaged$`},
		{"own words, wrapped", fmt.Errorf("x: %w", &pop3.Error{Code: pop3.CodeLoginDelay, Text: "later"}), `^-ERR \[LOGIN-DELAY\] later$`},
		{"two lines", &pop3.Error{Text: "a\r\n+OK b"}, `^-ERR a\?\?\+OK b$`},
	}
	for _, tt := range tests {
		for _, where := range []string{"password", "open", "scan"} {
			t.Run(tt.name+" in "+where, func(t *testing.T) {
				t.Parallel()
				var log logbook
				s := &stub{list: sizes{}}
				fails := true
				switch where {
				case "password":
					s.auth = func(*pop3server.Conn) pop3server.Auth {
						return pop3server.Auth{Password: func(context.Context, string, string, string, string) (pop3server.Identity, error) {
							if fails {
								return pop3server.Identity{}, tt.err
							}
							return pop3server.Identity{User: "u"}, nil
						}}
					}
				case "open":
					s.open = func(context.Context) error {
						if fails {
							return tt.err
						}
						return nil
					}
				case "scan":
					s.scan = func() (pop3server.Listing, error) {
						if fails {
							return nil, tt.err
						}
						return sizes{}, nil
					}
				}
				p := s.serve(t, log.use).greeted()
				p.cmd("USER u", "+OK ")
				got := p.cmd("PASS secret", "-ERR ")
				if !regexp.MustCompile(tt.want).MatchString(got) {
					t.Errorf("got %q", got)
				}
				s.balanced(t) // S-016
				if _, ref, ok := strings.Cut(got, "ref "); ok && !strings.Contains(log.String(), "ref="+ref+" ") {
					t.Errorf("%s is not in the log:\n%s", ref, log.String())
				}
				fails = false
				p.cmd("USER u", "+OK ")
				p.cmd("PASS secret", "+OK ")
				p.quit()
				s.balanced(t)
				if strings.Contains(log.String(), "secret") {
					t.Error("the log has the password")
				}
			})
		}
	}
}

// cutOff gives n octets, then an error.
func cutOff(n int) io.Reader {
	return io.MultiReader(bytes.NewReader(crlfText(n)), iotest.ErrReader(errDisk))
}

// crlfText is n octets of lines, without dots.
func crlfText(n int) []byte {
	b := bytes.Repeat([]byte("fifteen letters\r\n"), n/17+1)[:n]
	if n >= 2 {
		copy(b[n-2:], "\r\n")
	}
	return b
}

// TestFaultsInRetr: a message that cannot be read is -ERR as long as nothing was sent, and the end of the connection
// without a terminating line after that (S-068). The same holds for messages that are not as long as LIST says.
func TestFaultsInRetr(t *testing.T) {
	t.Parallel()
	const small, large = 1000, 300_000
	tests := []struct {
		name string
		size int
		body func() (pop3server.Body, error)
		want string // of the reply; +OK means: and then the end, without terminating line
	}{
		{"not opened", small, func() (pop3server.Body, error) { return pop3server.Body{}, errDisk }, "-ERR [SYS/TEMP] internal"},
		{"gone", small, func() (pop3server.Body, error) { return pop3server.Body{}, pop3server.ErrGone }, "-ERR message is there no longer"},
	}
	for _, form := range []pop3server.Form{pop3server.FormText, pop3server.FormCRLF, pop3server.FormWire} {
		name := []string{"text", "crlf", "wire"}[form]
		add := func(what string, size int, want string, r func() io.Reader, says int) {
			tests = append(tests, struct {
				name string
				size int
				body func() (pop3server.Body, error)
				want string
			}{name + " " + what, size, func() (pop3server.Body, error) { return body(form, r(), says), nil }, want})
		}
		add("small, fault", small, "-ERR [SYS/TEMP] internal", func() io.Reader { return cutOff(500) }, small)
		add("large, fault", large, "+OK ", func() io.Reader { return cutOff(200_000) }, large)
		add("large, too short", large, "+OK ", func() io.Reader { return bytes.NewReader(crlfText(200_000)) }, large)
		if form == pop3server.FormText {
			add("small, other size", small, "+OK ", func() io.Reader { return bytes.NewReader(crlfText(900)) }, 900)
			continue
		}
		add("small, too short", small, "-ERR [SYS/PERM] ", func() io.Reader { return bytes.NewReader(crlfText(900)) }, small)
		add("small, other size", small, "-ERR [SYS/PERM] ", func() io.Reader { return bytes.NewReader(crlfText(900)) }, 900)
		add("large, no line end", large, "+OK ", func() io.Reader { return bytes.NewReader(crlfText(large + 1)[:large]) }, large)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &stub{list: sizes{int64(tt.size)}, message: func(context.Context, int) (pop3server.Body, error) { return tt.body() }}
			p := s.serve(t, nil).signedIn()
			p.send("RETR 1\r\n")
			p.want(tt.want)
			if tt.want == "+OK " {
				rest, _ := io.ReadAll(p.r)
				if bytes.HasSuffix(rest, []byte("\r\n.\r\n")) {
					t.Errorf("a message cut off was sent as whole: %d octets", len(rest))
				}
			} else {
				p.cmd("NOOP", "+OK ")
				p.quit()
			}
			s.balanced(t)
		})
	}
}

// TestFaultsInTop: a message that cannot be read, or has fewer octets than LIST says, is not passed off as one that ends
// there (S-068). What is asked for of it and whole is sent all the same.
func TestFaultsInTop(t *testing.T) {
	t.Parallel()
	const small, large = 1000, 300_000
	message := func(n int) []byte { return append([]byte("Subject: x\r\n\r\n"), crlfText(n-14)...) }
	tests := []struct {
		name    string
		form    pop3server.Form
		size    int // that LIST shows
		read    io.Reader
		header  int64
		command string
		want    string // of the reply; "+OK cut" means: and then the end, without terminating line
	}{
		{"wire, too short", pop3server.FormWire, small, bytes.NewReader(message(495)), 0, "TOP 1 9999", "-ERR [SYS/PERM] "},
		{"crlf, too short", pop3server.FormCRLF, small, bytes.NewReader(message(495)), 0, "TOP 1 9999", "-ERR [SYS/PERM] "},
		{"text, too short", pop3server.FormText, small, bytes.NewReader(message(495)), 0, "TOP 1 9999", "+OK cut"},
		{"wire, large, too short", pop3server.FormWire, large, bytes.NewReader(message(200_003)), 0, "TOP 1 99999", "+OK cut"},
		{"crlf, large, fault", pop3server.FormCRLF, large, cutOff(200_000), 0, "TOP 1 99999", "+OK cut"},
		{"no whole header", pop3server.FormWire, small, bytes.NewReader(message(495)[:12]), 14, "TOP 1 0", "-ERR [SYS/PERM] "},
		{"empty file", pop3server.FormWire, small, bytes.NewReader(nil), 0, "TOP 1 0", "-ERR [SYS/PERM] "},
		{"header whole", pop3server.FormWire, small, bytes.NewReader(message(495)), 14, "TOP 1 0", "+OK "},
		{"lines whole", pop3server.FormWire, small, bytes.NewReader(message(495)), 0, "TOP 1 3", "+OK "},
		{"all whole", pop3server.FormCRLF, small, bytes.NewReader(message(small)), 0, "TOP 1 9999", "+OK "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &stub{list: sizes{int64(tt.size)}, message: func(context.Context, int) (pop3server.Body, error) {
				b := body(tt.form, tt.read, tt.size)
				b.Header = tt.header
				return b, nil
			}}
			p := s.serve(t, nil).signedIn()
			p.send(tt.command + "\r\n")
			if tt.want == "+OK cut" {
				p.want("+OK ")
				rest, _ := io.ReadAll(p.r)
				if bytes.HasSuffix(rest, []byte("\r\n.\r\n")) {
					t.Errorf("a message cut off was sent as whole: %d octets", len(rest))
				}
				return
			}
			p.want(tt.want)
			if tt.want == "+OK " {
				p.lines()
			}
			p.cmd("NOOP", "+OK ")
			p.quit()
			s.balanced(t)
		})
	}
	t.Run("other size", func(t *testing.T) {
		t.Parallel()
		s := &stub{list: sizes{small}, message: func(context.Context, int) (pop3server.Body, error) {
			return text(pop3server.FormWire, message(900)), nil
		}}
		p := s.serve(t, nil).signedIn()
		p.cmd("TOP 1 9999", "-ERR [SYS/PERM] ")
		p.quit()
	})
}

// TestBrokenWirePromise: with VerifyWire a wrong FormWire cannot end its own response.
func TestBrokenWirePromise(t *testing.T) {
	t.Parallel()
	evil := []byte("a\r\n.\r\n+OK gotcha\r\n")
	s := &stub{list: sizes{int64(len(evil))}, message: func(context.Context, int) (pop3server.Body, error) {
		return text(pop3server.FormWire, evil), nil
	}}
	p := s.serve(t, func(o *pop3server.Options) { o.VerifyWire = true }).signedIn()
	if got := p.body("RETR 1"); got != string(evil) {
		t.Errorf("got %q", got)
	}
	p.quit()
}

// TestSignInCodesAfterSignIn: [AUTH], [IN-USE] and [LOGIN-DELAY] are for ways to sign in only (S-151, S-154).
func TestSignInCodesAfterSignIn(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		pop3server.ErrInUse, pop3server.ErrCredentials, &pop3.Error{Code: pop3.CodeAuth, Text: "account disabled"},
		&pop3.Error{Code: pop3.CodeInUse, Text: "lock lost"},
	} {
		s := &stub{list: sizes{3}, message: func(context.Context, int) (pop3server.Body, error) { return pop3server.Body{}, err }}
		p := s.serve(t, nil).signedIn()
		if got := p.cmd("RETR 1", "-ERR "); strings.Contains(got, "[AUTH]") || strings.Contains(got, "[IN-USE]") {
			t.Errorf("%v: %q", err, got)
		}
		p.quit()
	}
}

// TestNamelessIdentity: a backend that lets in nobody in particular is at fault.
func TestNamelessIdentity(t *testing.T) {
	t.Parallel()
	s := &stub{auth: func(*pop3server.Conn) pop3server.Auth {
		return pop3server.Auth{Password: func(context.Context, string, string, string, string) (pop3server.Identity, error) {
			return pop3server.Identity{}, nil
		}}
	}}
	p := s.serve(t, nil).greeted()
	p.cmd("USER u", "+OK ")
	p.cmd("PASS p", "-ERR [SYS/TEMP] internal error")
	p.quit()
	s.balanced(t)
}

func TestBadUID(t *testing.T) { // S-075
	t.Parallel()
	for _, uid := range []string{"", "a b", "a\r\n.", strings.Repeat("x", 71), "\x7f"} {
		s := &stub{list: badUIDs{sizes{3, 3}, uid}}
		p := s.serve(t, nil).signedIn()
		p.cmd("UIDL 1", "-ERR [SYS/PERM] ")
		p.cmd("UIDL", "+OK ")
		if rest, _ := io.ReadAll(p.r); len(rest) > 0 {
			t.Errorf("uid %q: got %q", uid, rest)
		}
	}
}

type badUIDs struct {
	sizes
	uid string
}

func (l badUIDs) AppendUID(dst []byte, _ int) []byte { return append(dst, l.uid...) }

// TestUpdate: what QUIT says about what the backend did (S-017, S-061, S-062).
func TestUpdate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err     error
		want    string
		removed int
	}{
		{nil, "+OK goodbye, 1 message left", 2},
		{errDisk, "-ERR [SYS/TEMP] internal error, ref ", 0},
		{&pop3server.PartialError{Removed: []int{0}, Err: errDisk}, "-ERR [SYS/TEMP] some deleted messages not removed", 1},
		{&pop3.Error{Code: pop3.CodeSysPerm, Text: "no"}, "-ERR [SYS/PERM] no", 0},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			var got pop3server.Outcome
			closedBefore := int32(-1)
			sum := make(chan pop3server.Summary, 1)
			s := &stub{list: sizes{3, 3, 3}, message: func(context.Context, int) (pop3server.Body, error) {
				return text(pop3server.FormWire, []byte("x\r\n")), nil
			}}
			s.update = func(ctx context.Context, u pop3server.Outcome) error {
				if _, ok := ctx.Deadline(); !ok {
					t.Error("Update has no deadline")
				}
				got, closedBefore = u, s.closed.Load()
				return tt.err
			}
			p := s.serve(t, func(o *pop3server.Options) {
				o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s }
			}).signedIn()
			p.cmd("DELE 3", "+OK ")
			p.multi("RETR 1")
			p.cmd("DELE 1", "+OK ")
			p.cmd("QUIT", tt.want)
			s.balanced(t) // the lock is free before the answer comes
			p.closed()
			if fmt.Sprint(got) != "{[0 2] [0]}" || closedBefore != 0 {
				t.Errorf("Update got %v, closed before: %d", got, closedBefore)
			}
			if sum := <-sum; sum.Removed != tt.removed || sum.Deleted != 2 || sum.Retr != 1 || sum.Reason != pop3server.ReasonQuit {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// TestUpdateOutlivesConnection: the client hangs up right behind QUIT.
func TestUpdateOutlivesConnection(t *testing.T) {
	t.Parallel()
	entered, result := make(chan struct{}), make(chan error, 1)
	s := &stub{list: sizes{3}}
	s.update = func(ctx context.Context, _ pop3server.Outcome) error {
		close(entered)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
		result <- ctx.Err()
		return ctx.Err()
	}
	srv := s.server(t, nil)
	p := srv.pipe(t).signedIn()
	p.send("DELE 1\r\nQUIT\r\n")
	p.want("+OK ")
	<-entered
	_ = p.nc.Close()
	_ = srv.Close() // waits for Update
	if err := <-result; err != nil {
		t.Errorf("Update's context: %v", err)
	}
	s.balanced(t)
}

// TestPanics: a panic of the backend costs one connection, gives back the lock, and is logged.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"auth", "open", "scan", "message", "update"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			var log logbook
			boom := func(at string) {
				if at == where {
					panic("boom")
				}
			}
			s := &stub{}
			s.auth = func(*pop3server.Conn) pop3server.Auth {
				boom("auth")
				return (&stub{}).Auth(nil)
			}
			s.open = func(context.Context) error { boom("open"); return nil }
			s.scan = func() (pop3server.Listing, error) { boom("scan"); return sizes{3}, nil }
			s.message = func(context.Context, int) (pop3server.Body, error) {
				boom("message")
				return pop3server.Body{}, errDisk
			}
			s.update = func(context.Context, pop3server.Outcome) error { boom("update"); return nil }
			reason := make(chan pop3server.Reason, 1)
			p := s.serve(t, func(o *pop3server.Options) {
				log.use(o)
				o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { reason <- s.Reason }
			})
			p.sendAsync("USER u\r\nPASS p\r\nRETR 1\r\nQUIT\r\n")
			_, _ = io.ReadAll(p.r)
			if got := <-reason; got != pop3server.ReasonPanic {
				t.Errorf("ended with %q", got)
			}
			s.balanced(t)
			if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "stack=") {
				t.Errorf("log:\n%s", log.String())
			}
		})
	}
}

// TestGoexit: a backend that ends the session's goroutine does not keep the lock.
func TestGoexit(t *testing.T) {
	t.Parallel()
	sum := make(chan pop3server.Summary, 1)
	s := &stub{list: sizes{3}, message: func(context.Context, int) (pop3server.Body, error) {
		runtime.Goexit()
		return pop3server.Body{}, nil
	}}
	p := s.serve(t, func(o *pop3server.Options) {
		o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s }
	}).signedIn()
	p.send("RETR 1\r\n")
	p.closed()
	if sum := <-sum; sum.Reason != pop3server.ReasonPanic {
		t.Errorf("ended with %q", sum.Reason)
	}
	s.balanced(t)
}

// TestBackendTimeout: a backend that hangs does not hold a session for ever.
func TestBackendTimeout(t *testing.T) {
	synced(t, nil, func(t *testing.T, _ *testServer) {
		s := &stub{open: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		p := s.serve(t, func(o *pop3server.Options) { o.BackendTimeout = 7 * time.Second }).greeted()
		p.cmd("USER u", "+OK ")
		began := time.Now()
		p.cmd("PASS p", "-ERR [SYS/TEMP] ")
		if d := time.Since(began); d != 7*time.Second {
			t.Errorf("took %v", d)
		}
		p.quit()
	})
}

// TestCloseEndsCalls: a backend that is at work for a connection hears that it is cut, and one that is called after that
// hears it at once.
func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	var second error
	s := &stub{}
	s.auth = func(*pop3server.Conn) pop3server.Auth {
		return pop3server.Auth{Password: func(ctx context.Context, _, _, user, _ string) (pop3server.Identity, error) {
			close(entered)
			<-ctx.Done()
			return pop3server.Identity{User: user}, nil
		}}
	}
	s.open = func(ctx context.Context) error {
		second = ctx.Err()
		return second
	}
	srv := s.server(t, nil)
	p := srv.pipe(t).greeted()
	p.cmd("USER u", "+OK ")
	p.send("PASS p\r\n")
	<-entered
	_ = srv.Close() // waits for the session
	if !errors.Is(second, context.Canceled) {
		t.Errorf("Open's context: %v", second)
	}
	s.balanced(t)
}

// TestHooksAndLog: what is told about a session, and that no secret is among it.
func TestHooksAndLog(t *testing.T) { // S-206
	t.Parallel()
	var log logbook
	var mu sync.Mutex
	var verbs, auths []string
	sum := make(chan pop3server.Summary, 1)
	s := start(t, func(o *pop3server.Options) {
		log.use(o)
		o.Hooks = pop3server.Hooks{
			ConnClose: func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s },
			Command: func(_ *pop3server.Conn, verb string, _ time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				verbs = append(verbs, fmt.Sprint(verb, " ", err == nil))
			},
			AuthDone: func(_ *pop3server.Conn, mech, user string, err error) {
				mu.Lock()
				defer mu.Unlock()
				auths = append(auths, fmt.Sprint(mech, " ", user, " ", err == nil))
			},
		}
	})
	p := s.pipe(t).greeted()
	p.cmd("STLS", "+OK ")
	p.startTLS(nil)
	p.cmd("AUTH PLAIN "+b64("\x00"+user+"\x00hunter2"), "-ERR [AUTH] ")
	p.cmd("FROBNICATE hunter2", "-ERR ")
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS "+password, "+OK ")
	p.multi("TOP 1 0")
	p.multi("RETR 2")
	p.cmd("DELE 2", "+OK ")
	p.quit()
	got := <-sum
	if got.User != user || got.Mech != "PASS" || got.TLSVersion != "TLS 1.3" || got.TLSCipher == "" || got.Retr != 1 || got.Top != 1 ||
		got.Deleted != 1 || got.Removed != 1 || got.Messages != 3 || got.Commands != 9 || got.Reason != pop3server.ReasonQuit ||
		got.OctetsIn == 0 || got.OctetsOut == 0 || got.Err != nil {
		t.Errorf("summary %+v", got)
	}
	if got, want := strings.Join(verbs, ","), "STLS true,AUTH false,? false,USER true,PASS true,TOP true,RETR true,DELE true,QUIT true"; got != want {
		t.Errorf("commands %s, want %s", got, want)
	}
	if got, want := strings.Join(auths, ","), "PLAIN alice false,PASS alice true"; got != want {
		t.Errorf("sign-ins %s, want %s", got, want)
	}
	text := log.String()
	for _, want := range []string{"POP3 session ended", "user=alice", "mech=PASS", `tls="TLS 1.3"`, "cipher=TLS_", "removed=1", "reason=quit", "POP3 sign-in failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("log lacks %s:\n%s", want, text)
		}
	}
	for _, secret := range []string{"hunter2", password, "FROBNICATE"} {
		if strings.Contains(text, secret) {
			t.Errorf("log has %q:\n%s", secret, text)
		}
	}
}
