package collect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/mailstore"
)

// A killKind is a kind of account whose collector is killed.
type killKind struct {
	// letters are at the server.
	letters []letter
	// account returns the sinks and the rules.
	account func(o killOrder) ([]collect.Sink, collect.Rules, error)
	// peer, if set, answers requests besides the server, in the parent.
	peer func(folder string) http.Handler
	// want is what is to be at each place in the end, and got what is there.
	want map[string][]string
	got  func(k *killer, user, place string) []string
	// unsafe is the place where letters are not known again.
	unsafe string
}

// A killOrder is what an account is made of.
type killOrder struct {
	server, peer, user, folder string
	store                      mailstore.Store
	child                      bool // the process that is killed
}

func killKinds() map[string]killKind {
	return map[string]killKind{
		"mail": killMail(), "gmail": killGmail(), "multidrop": killMultidrop(), "scan": killScan(), "fickle": killFickle(),
	}
}

func killAccount(kind string, o killOrder) (collect.Account, error) {
	source, err := pop3source.New(pop3source.Options{
		URL: "pop3://" + o.user + "@" + o.server, Cleartext: true,
		Password: func(context.Context) (string, error) { return password, nil },
	})
	if err != nil {
		return collect.Account{}, err
	}
	a := collect.Account{Name: o.user, Source: source}
	a.Sinks, a.Rules, err = killKinds()[kind].account(o)
	a.Rules.Delete = true
	return a, err
}

// drop is a maildrop of the user, who may have several: users are called u1, u2, ...
func (o killOrder) drop(i int) (mailstore.Recipient, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(o.user, "u"))
	return mailstore.Recipient{Drop: mailstore.DropID(10*n + i)}, err
}

// killMail has two safe sinks, a maildrop here and a Maildir, and one that does not know letters again.
func killMail() killKind {
	all := messages(3)
	want := bodiesOf(all)
	return killKind{
		letters: all,
		account: func(o killOrder) ([]collect.Sink, collect.Rules, error) {
			to, err := o.drop(0)
			if err != nil {
				return nil, collect.Rules{}, err
			}
			maildir, err := sink.NewMaildir(filepath.Join(o.folder, o.user), sink.MaildirOptions{CRLF: true})
			return []collect.Sink{&list{path: filepath.Join(o.folder, o.user+".list")}, maildir, sink.NewStore(o.store, to, o.user)}, collect.Rules{}, err
		},
		want: map[string][]string{"list": want, "maildir": want, "store": want}, unsafe: "list",
		got: func(k *killer, user, place string) []string {
			switch place {
			case "list":
				return k.listed(filepath.Join(k.folder, user+".list"))
			case "maildir":
				return k.filesOf(filepath.Join(user, "new", "*"))
			}
			return k.stored(user, 0)
		},
	}
}

func bodiesOf(letters []letter) (bodies []string) {
	for _, l := range letters {
		bodies = append(bodies, l.body)
	}
	return bodies
}

// filesOf returns what is in files of the folder.
func (k *killer) filesOf(pattern string) (bodies []string) {
	k.t.Helper()
	names, err := filepath.Glob(filepath.Join(k.folder, pattern))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			k.t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	return bodies
}

// listed returns what a list has.
func (k *killer) listed(path string) (bodies []string) {
	k.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		body, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		if err != nil {
			body = fmt.Sprintf("half a line: %s", line)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// stored returns the messages of a maildrop here.
func (k *killer) stored(user string, i int) (bodies []string) {
	k.t.Helper()
	to, err := k.order(user).drop(i)
	if err != nil {
		k.t.Fatal(err)
	}
	drop, err := k.store.Open(k.t.Context(), to.Drop, mailstore.View{})
	if err != nil {
		k.t.Fatal(err)
	}
	for i := range drop.Len() {
		r, err := drop.Body(k.t.Context(), i)
		if err != nil {
			k.t.Fatal(err)
		}
		b, err := io.ReadAll(r.R)
		if err := errors.Join(err, r.R.Close()); err != nil {
			k.t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	if err := drop.Close(); err != nil {
		k.t.Fatal(err)
	}
	return bodies
}
