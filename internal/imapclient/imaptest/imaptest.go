// Package imaptest is an IMAP server in memory, on connections that can be made to fail. It is test code.
package imaptest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// Who may sign in.
const (
	User     = "bob"
	Password = "geheim"
)

// Options make a server different.
type Options struct {
	// TLS makes the server offer STARTTLS.
	TLS *tls.Config
	// Without are capabilities that it does not have, such as "UIDPLUS".
	Without []string
	// Caps are the only ones that it has. Default: IMAP4rev1 and the extensions that the client knows.
	Caps []string
}

// A Server is an IMAP server with one user. It ends with the test.
type Server struct {
	// Addr is where it listens.
	Addr string

	mailbox *imapmemserver.User
	open    sync.WaitGroup // connections

	mu   sync.Mutex
	wrap func(net.Conn) net.Conn
}

// Start starts a server with an empty INBOX.
func Start(tb testing.TB, opt Options) *Server {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: ln.Addr().String(), mailbox: imapmemserver.NewUser(User, Password)}
	if err := s.mailbox.Create("INBOX", nil); err != nil {
		tb.Fatal(err)
	}
	caps := opt.Caps
	if caps == nil {
		caps = []string{"IMAP4rev1", "UIDPLUS", "LITERAL+"}
	}
	set := imap.CapSet{}
	for _, c := range caps {
		set[imap.Cap(c)] = struct{}{}
	}
	for _, c := range opt.Without {
		delete(set, imap.Cap(c))
	}
	memory := imapmemserver.New()
	memory.AddUser(s.mailbox)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return session{memory.NewSession().(imapserver.SessionIMAP4rev2)}, nil, nil
		},
		Caps: set, TLSConfig: opt.TLS, InsecureAuth: true, Logger: log.New(io.Discard, "", 0),
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(&listener{ln, s}) })
	tb.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
	return s
}

// session is one of the server in memory, which by itself takes a message whose connection ends in the middle for a whole one.
type session struct{ imapserver.SessionIMAP4rev2 }

func (s session) Append(folder string, r imap.LiteralReader, opt *imap.AppendOptions) (*imap.AppendData, error) {
	return s.SessionIMAP4rev2.Append(folder, &whole{r, r.Size()}, opt)
}

// whole fails where a literal ends before its size.
type whole struct {
	imap.LiteralReader
	left int64
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.LiteralReader.Read(p)
	if w.left -= int64(n); w.left > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Ended waits until the server is done with all connections, which the other end must have closed.
func (s *Server) Ended() { s.open.Wait() }

// conn is a connection that the server has not closed yet.
type conn struct {
	net.Conn
	ended func()
}

func (c *conn) Close() error {
	defer c.ended()
	return c.Conn.Close()
}

// Wrap has each further connection go through wrap, nil for none.
func (s *Server) Wrap(wrap func(net.Conn) net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrap = wrap
}

type listener struct {
	net.Listener
	server *Server
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.server.open.Add(1)
	c = &conn{c, sync.OnceFunc(l.server.open.Done)}
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	if l.server.wrap != nil {
		c = l.server.wrap(c)
	}
	return c, nil
}

// A literal is a message for the server.
type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// Make makes a folder. One that was there before and was removed gets another UIDVALIDITY.
func (s *Server) Make(tb testing.TB, folder string) {
	tb.Helper()
	if err := s.mailbox.Create(folder, nil); err != nil {
		tb.Fatal(err)
	}
}

// Remove removes a folder.
func (s *Server) Remove(tb testing.TB, folder string) {
	tb.Helper()
	if err := s.mailbox.Delete(folder); err != nil {
		tb.Fatal(err)
	}
}

// Add puts a message into a folder.
func (s *Server) Add(tb testing.TB, folder, text string, date time.Time, flags ...string) {
	tb.Helper()
	opt := &imap.AppendOptions{Time: date}
	for _, f := range flags {
		opt.Flags = append(opt.Flags, imap.Flag(f))
	}
	if _, err := s.mailbox.Append(folder, literal{strings.NewReader(text)}, opt); err != nil {
		tb.Fatal(err)
	}
}

// Count returns how many messages a folder has, 0 if it is not there.
func (s *Server) Count(tb testing.TB, folder string) int {
	tb.Helper()
	data, err := s.mailbox.Status(folder, &imap.StatusOptions{NumMessages: true})
	if err != nil {
		return 0
	}
	return int(*data.NumMessages)
}
