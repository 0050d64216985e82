package collect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/scan"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
)

// The collector is killed on its way into Gmail, into a multidrop of which one recipient fails at first, and into a Maildir
// or a quarantine as a scanner says, also one that says something else each time. After one more run nothing is lost. Only Gmail may have the one in flight twice.
//
// POSTAMT_KILLS is how many processes are killed in all, by default 120, with -short 24.
func TestKilledOnTheWayAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"gmail", "multidrop", "scan", "fickle"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			newKiller(t, kind).sweep((killsWanted(120, 24) + 3) / 4)
		})
	}
}

// A killingPeer calls kill when it has read so often and written so many octets: that many of its answers are cut, however
// long the requests are.
type killingPeer struct{ killing }

func (k *killingPeer) Read(p []byte) (int, error) {
	n, err := k.Conn.Read(p)
	if k.sent.Add(1) == k.at {
		k.kill()
	}
	return n, err
}

// startPeer starts what the kind needs besides.
func (k *killer) startPeer() {
	k.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		k.t.Fatal(err)
	}
	k.peer = "http://" + ln.Addr().String()
	server := &http.Server{Handler: k.kind.peer(k.folder)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(guarded{ln, k}) })
	k.t.Cleanup(func() {
		_ = server.Close()
		wg.Wait()
	})
}

// A guarded listener puts the killer between.
type guarded struct {
	net.Listener
	k *killer
}

func (g guarded) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g.k.mu.Lock()
	defer g.k.mu.Unlock()
	if g.k.guardPeer != nil {
		c = g.k.guardPeer(c)
	}
	return c, nil
}

// killGmail has a mailbox at a double of the Gmail API. The last message goes there in pieces.
func killGmail() killKind {
	all := messages(3)
	all[2].body += strings.Repeat("a line of a message that is sent in pieces, for it is large\r\n", 20_000)
	return killKind{
		letters: all,
		account: func(o killOrder) ([]collect.Sink, collect.Rules, error) {
			s, err := sink.NewGmail(sink.GmailOptions{
				User: o.user + "@gmail.com", Address: o.peer, Labels: []string{"INBOX", "From ISP"},
				Token:     func(context.Context) (string, error) { return o.user, nil },
				Transport: &http.Transport{DisableKeepAlives: true},
			})
			return []collect.Sink{s}, collect.Rules{}, err
		},
		peer: func(folder string) http.Handler {
			return &mailboxes{folder: folder, all: map[string]*sinktest.Gmail{}}
		},
		want: map[string][]string{"gmail": bodiesOf(all)}, unsafe: "gmail",
		got: func(k *killer, user, _ string) []string { return k.filesOf(filepath.Join(user, "done.*")) },
	}
}

// mailboxes are at Gmail. The token says whose is meant: it is the user's name.
type mailboxes struct {
	folder string
	mu     sync.Mutex
	all    map[string]*sinktest.Gmail
}

func (m *mailboxes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	m.mu.Lock()
	box := m.all[user]
	if box == nil {
		box = sinktest.NewGmail(filepath.Join(m.folder, user), user)
		m.all[user] = box
		if err := os.MkdirAll(box.Dir, 0o700); err != nil {
			panic(err)
		}
	}
	m.mu.Unlock()
	box.ServeHTTP(w, r)
}

// lettersForMany is mail for Alice, for Alice and Bob, and for nobody here. want is what each has in the end.
func lettersForMany() (all []letter, want map[string][]string) {
	all, want = messages(3), map[string][]string{}
	for i, to := range [][]string{{"alice"}, {"alice", "bob"}, {"rest"}} {
		all[i].body = "X-Original-To: " + strings.Join(to, "@example.org, ") + "@example.org\r\n" + all[i].body
		for _, name := range to {
			want[name] = append(want[name], "X-Loop: many@here.example\r\n"+all[i].body)
		}
	}
	return all, want
}

// manyPeople is a multidrop for Alice and Bob. open returns the sink of one of them, or the one for the rest.
func manyPeople(open func(name string) (collect.Sink, error)) (*sink.Multidrop, error) {
	rest, err := open("rest")
	if err != nil {
		return nil, err
	}
	return sink.NewMultidrop(sink.MultidropOptions{
		Name: "rest", Header: "X-Original-To", Rest: rest, Loop: "many@here.example",
		Route: func(_ context.Context, address string) (collect.Sink, error) {
			name, _ := strings.CutSuffix(address, "@example.org")
			if name != "alice" && name != "bob" {
				return nil, sink.ErrNoRoute
			}
			return open(name)
		},
	})
}

// killMultidrop is a multidrop. In the child Bob cannot get any mail.
func killMultidrop() killKind {
	all, want := lettersForMany()
	number := map[string]int{"alice": 0, "bob": 1, "rest": 2}
	return killKind{
		letters: all,
		account: func(o killOrder) ([]collect.Sink, collect.Rules, error) {
			m, err := manyPeople(func(name string) (collect.Sink, error) {
				to, err := o.drop(number[name])
				s := collect.Sink(sink.NewStore(o.store, to, name))
				if o.child && name == "bob" {
					s = away{s}
				}
				return s, err
			})
			return []collect.Sink{m}, collect.Rules{}, err
		},
		want: want,
		got:  func(k *killer, user, place string) []string { return k.stored(user, number[place]) },
	}
}

// A sink that is away fails at the end of each delivery.
type away struct{ collect.Sink }

func (a away) Begin(ctx context.Context, l collect.Letter) (collect.Delivery, error) {
	d, err := a.Sink.Begin(ctx, l)
	if err != nil {
		return nil, err
	}
	return awayDelivery{d}, nil
}

type awayDelivery struct{ collect.Delivery }

func (awayDelivery) Commit(context.Context) error {
	return &collect.TemporaryError{Err: errors.New("away")}
}

// killScan has messages of which an rspamd in the parent calls one spam, which goes into quarantine.
func killScan() killKind {
	all := messages(3)
	all[1].body += "buy now\r\n"
	tag := func(flag, yes string, score float64, action string) string {
		return fmt.Sprintf("%sX-Spam-Status: %s, score=%.2f required=15.00 action=%s\r\n", flag, yes, score, action)
	}
	ham, spam := tag("", "No", 1, "no_action"), tag("X-Spam-Flag: YES\r\n", "Yes", 20, "reject")
	return killKind{
		letters: all,
		account: func(o killOrder) ([]collect.Sink, collect.Rules, error) {
			maildir, err1 := sink.NewMaildir(filepath.Join(o.folder, o.user), sink.MaildirOptions{CRLF: true})
			cell, err2 := sink.NewMaildir(filepath.Join(o.folder, o.user+".quarantine"), sink.MaildirOptions{CRLF: true})
			rspamd, err3 := scan.NewRspamd(scan.RspamdOptions{Address: o.peer})
			return []collect.Sink{maildir},
				collect.Rules{Scan: &scan.Policy{Rspamd: rspamd, OnSpam: scan.Quarantine}, Quarantine: []collect.Sink{cell}},
				errors.Join(err1, err2, err3)
		},
		peer: func(string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				w.Header().Set("Connection", "close")
				switch {
				case err != nil:
				case strings.Contains(string(text), "buy now"):
					_, _ = io.WriteString(w, `{"action":"reject","score":20,"required_score":15}`)
				default:
					_, _ = io.WriteString(w, `{"action":"no action","score":1,"required_score":15}`)
				}
			})
		},
		want: map[string][]string{"maildir": {ham + all[0].body, ham + all[2].body}, "quarantine": {spam + all[1].body}},
		got: func(k *killer, user, place string) []string {
			if place == "quarantine" {
				user += ".quarantine"
			}
			return k.filesOf(filepath.Join(user, "new", "*"))
		},
	}
}

// killFickle has an rspamd in the parent that calls each message spam every second time that it is asked. Each message must
// be in one place, whichever.
func killFickle() killKind {
	k := killScan()
	k.peer = func(string) http.Handler {
		var mu sync.Mutex
		asked := map[string]int{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			w.Header().Set("Connection", "close")
			mu.Lock()
			defer mu.Unlock()
			key := r.Header.Get("Queue-Id")
			if asked[key]++; err == nil && asked[key]%2 == 1 {
				_, _ = io.WriteString(w, `{"action":"reject","score":20,"required_score":15}`)
			} else {
				_, _ = io.WriteString(w, `{"action":"no action","score":1,"required_score":15}`)
			}
		})
	}
	k.want = map[string][]string{"somewhere": bodiesOf(k.letters)}
	k.got = func(k *killer, user, _ string) (bodies []string) {
		for _, folder := range []string{user, user + ".quarantine"} {
			for _, body := range k.filesOf(filepath.Join(folder, "new", "*")) {
				for strings.HasPrefix(body, "X-Spam-") {
					_, body, _ = strings.Cut(body, "\r\n")
				}
				bodies = append(bodies, body)
			}
		}
		return bodies
	}
	return k
}
