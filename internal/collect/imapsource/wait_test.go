package imapsource_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
	"github.com/postamt/postamt/internal/testpeers"
)

// list opens the folder and lists it, as a run does.
func list(t *testing.T, src *imapsource.Source) {
	t.Helper()
	session, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.List(t.Context()); err != nil {
		t.Error(err)
	}
	if err := session.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// watched tells when the server begins to wait in an IDLE.
type watched struct {
	net.Conn
	idles chan<- struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if bytes.HasPrefix(p, []byte("+ idling")) {
		w.idles <- struct{}{}
	}
	return n, err
}

// Wait ends when mail comes while it waits, when some came before, or when the folder was made anew.
func TestWait(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	s.Add(t, "INBOX", "X: y\r\n\r\n", day)
	s.Make(t, "Work")
	src, work := source(t, s, ""), source(t, s, "Work")
	if err := src.Wait(t.Context()); !errors.Is(err, collect.ErrNoWait) {
		t.Errorf("before a listing: %v", err)
	}
	list(t, src)
	idles := make(chan struct{}, 10)
	s.Wrap(func(c net.Conn) net.Conn { return &watched{c, idles} })

	waited := make(chan error, 1)
	go func() { waited <- src.Wait(t.Context()) }()
	<-idles
	if err := whileMailComes(t, s, waited); err != nil {
		t.Errorf("mail comes: %v", err)
	}
	if err := src.Wait(t.Context()); err != nil {
		t.Errorf("it has come: %v", err)
	}
	list(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { waited <- src.Wait(ctx) }()
	<-idles
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended: %v", err)
	}

	list(t, work)
	s.Remove(t, "Work")
	if err := work.Wait(t.Context()); collect.Classify(err) == collect.OK || errors.Is(err, collect.ErrNoWait) {
		t.Errorf("no folder: %v", err)
	}
	s.Make(t, "Work")
	if err := work.Wait(t.Context()); err != nil {
		t.Errorf("another folder: %v", err)
	}
}

// whileMailComes adds messages until the waiting ends. One alone is not enough: the server in memory forgets to tell of what
// comes just when IDLE begins.
func whileMailComes(t *testing.T, s *imaptest.Server, waited <-chan error) error {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-waited:
			return err
		case <-tick.C:
			s.Add(t, "INBOX", "X: y\r\n\r\n", day)
		}
	}
}

// Without IDLE, or if it is not wanted, nobody waits.
func TestNoWait(t *testing.T) {
	t.Parallel()
	for name, noIdle := range map[string]bool{"IMAP4rev1": false, "IMAP4rev1 IDLE": true} {
		server := &scripted{caps: name, answers: map[string]string{"FETCH": listing}}
		src := server.source(t, func(o *imapsource.Options) { o.NoIdle = noIdle })
		list(t, src)
		if err := src.Wait(t.Context()); !errors.Is(err, collect.ErrNoWait) {
			t.Errorf("%s: %v", name, err)
		}
	}
	server := &scripted{caps: "IMAP4rev1 IDLE", answers: map[string]string{"FETCH": listing, "IDLE": ""}}
	src := server.source(t, nil)
	list(t, src)
	if err := src.Wait(t.Context()); err == nil || errors.Is(err, collect.ErrNoWait) {
		t.Errorf("a server that hangs up: %v", err)
	}
}

// A real Dovecot tells of mail, and of none while there is none.
func TestDovecotWait(t *testing.T) {
	t.Parallel()
	testpeers.Need(t, "dovecot")
	testpeers.NeedIMAP(t)
	d := testpeers.StartDovecot(t, "", testpeers.DovecotUser{Name: "bob", Password: imaptest.Password})
	opt := imapclient.Options{
		Addr: "localhost" + d.IMAPS[strings.LastIndexByte(d.IMAPS, ':'):], User: "bob", Password: imaptest.Password, RootCAs: d.Pool,
		Timeout: 20 * time.Second,
	}
	src, err := imapsource.New(imapsource.Options{
		URL: "imaps://bob@" + opt.Addr, Credentials: imapclient.Credentials{Password: secret},
		Client: imapclient.Options{RootCAs: d.Pool, Timeout: opt.Timeout},
	})
	if err != nil {
		t.Fatal(err)
	}
	other, err := imapclient.Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	list(t, src)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := src.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no mail: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- src.Wait(t.Context()) }()
	const text = "Subject: hello\r\n\r\n"
	if _, err := other.Append(t.Context(), "INBOX", imapclient.Letter{Size: int64(len(text)), Text: strings.NewReader(text)}); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("mail comes: %v", err)
	}
}
