package imapclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// options are those for a server without TLS.
func options(s *imaptest.Server) imapclient.Options {
	return imapclient.Options{
		Addr: s.Addr, Security: imapclient.Clear, AllowCleartext: true, User: imaptest.User, Password: imaptest.Password,
		Timeout: time.Minute,
	}
}

func dial(t *testing.T, opt imapclient.Options) *imapclient.Client {
	t.Helper()
	c, err := imapclient.Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// examine opens a folder and lists it.
func examine(t *testing.T, c *imapclient.Client, folder string) (imapclient.Folder, []imapclient.Message) {
	t.Helper()
	f, err := c.Examine(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return f, list
}

func readAll(t *testing.T, c *imapclient.Client, uid uint32, part imapclient.Part) string {
	t.Helper()
	body, err := c.Fetch(t.Context(), uid, part)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var day = time.Date(2026, 11, 20, 8, 30, 0, 0, time.FixedZone("", 3600))

func TestListAndFetch(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	texts := []string{
		"Subject: one\r\n\r\nHello.\r\n",
		"Subject: two\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
		"Subject: 8-bit \xff\r\n\r\n\x80no end",
	}
	for i, text := range texts {
		s.Add(t, "INBOX", text, day.Add(time.Duration(i)*time.Hour), []string{`\Seen`, `\Flagged`, "$Junk"}[:i]...)
	}
	c := dial(t, options(s))
	folder, list := examine(t, c, "INBOX")
	if folder.Messages != 3 || folder.UIDNext != 4 || folder.UIDValidity == 0 {
		t.Errorf("%+v", folder)
	}
	want := []imapclient.Message{
		{Num: 1, UID: 1, Size: int64(len(texts[0])), Date: day},
		{Num: 2, UID: 2, Size: int64(len(texts[1])), Date: day.Add(time.Hour), Flags: `\Seen`},
		{Num: 3, UID: 3, Size: int64(len(texts[2])), Date: day.Add(2 * time.Hour), Flags: `\Seen \Flagged`},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if err := c.Ahead(t.Context(), imapclient.Whole, 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if got := readAll(t, c, uint32(i+1), imapclient.Whole); got != text {
			t.Errorf("message %d: %.100q, want %.100q", i+1, got, text)
		}
	}
	if got := readAll(t, c, 1, imapclient.Header); got != "Subject: one\r\n\r\n" {
		t.Errorf("header: %q", got)
	}
	if _, err := c.Fetch(t.Context(), 99, imapclient.Whole); !errors.Is(err, imapclient.ErrGone) {
		t.Errorf("a message that is not there: %v", err)
	}
	// What was asked for ahead and not fetched is skipped, and so is the rest of what was not read to its end.
	if err := c.Ahead(t.Context(), imapclient.Whole, 2, 3); err != nil {
		t.Fatal(err)
	}
	body, err := c.Fetch(t.Context(), 2, imapclient.Whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if got := readAll(t, c, 1, imapclient.Whole); got != texts[0] {
		t.Errorf("%q", got)
	}
	if _, list := examine(t, c, "INBOX"); list[0].Flags != "" {
		t.Errorf("fetching has marked a message: %q", list[0].Flags)
	}
	if err := c.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Noop(t.Context()); err == nil {
		t.Error("a command after the end: no error")
	}
}

// A listing comes in pieces.
func TestListOfManyPieces(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	for range 4001 {
		s.Add(t, "INBOX", "X: y\r\n\r\n", day)
	}
	_, list := examine(t, dial(t, options(s)), "INBOX")
	if len(list) != 4001 || list[4000].UID != 4001 || list[2000].Num != 2001 {
		t.Errorf("%d messages, the last is %+v", len(list), list[len(list)-1])
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	c := dial(t, options(s))
	for _, name := range []string{"Archive", "Größe & mehr/日本", `quo"ted\`, "inbox"} {
		for range 2 { // the second time it is there
			if err := c.MakeFolder(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		text := "X: " + name + "\r\n\r\n"
		place, err := c.Append(t.Context(), name, imapclient.Letter{Size: int64(len(text)), Text: strings.NewReader(text), Date: day, Flags: `\Seen \Recent $Junk \draft`})
		if err != nil || place.UID != 1 || place.UIDValidity == 0 {
			t.Errorf("%s: %+v %v", name, place, err)
		}
		_, list := examine(t, c, name)
		if len(list) != 1 || !list[0].Date.Equal(day) || list[0].Flags != `\Seen \Draft` {
			t.Errorf("%s: %+v", name, list)
		}
		if got := readAll(t, c, 1, imapclient.Whole); got != text {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 1001)} {
		if _, err := c.Examine(t.Context(), name); !errors.Is(err, imapclient.ErrFolderName) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	var refused *imapclient.Error
	if _, err := c.Select(t.Context(), "nowhere"); !errors.As(err, &refused) || !refused.Has("NONEXISTENT") {
		t.Errorf("%v", err)
	}
	if _, err := c.Append(t.Context(), "INBOX", imapclient.Letter{}); err == nil {
		t.Error("an empty message was appended")
	}
}

// A message whose text cannot be read to its end is not put anywhere.
func TestAppendOfWhatBreaksOff(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	for _, size := range []int64{100, 100_000} {
		c := dial(t, options(s))
		broken := errors.New("disk on fire")
		text := io.MultiReader(strings.NewReader("X: y\r\n"), failing{broken})
		if _, err := c.Append(t.Context(), "INBOX", imapclient.Letter{Size: size, Text: text}); !errors.Is(err, broken) {
			t.Errorf("%d octets: %v", size, err)
		}
	}
	s.Ended()
	if n := s.Count(t, "INBOX"); n != 0 {
		t.Errorf("%d messages", n)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDelete(t *testing.T) {
	t.Parallel()
	for _, plus := range []bool{true, false} {
		t.Run(fmt.Sprintf("UIDPLUS %v", plus), func(t *testing.T) {
			t.Parallel()
			opt := imaptest.Options{}
			if !plus {
				opt.Without = []string{"UIDPLUS"}
			}
			s := imaptest.Start(t, opt)
			for i := range 5 {
				var flags []string
				if i == 4 {
					flags = []string{`\Deleted`} // by somebody else
				}
				s.Add(t, "INBOX", fmt.Sprintf("N: %d\r\n\r\n", i), day, flags...)
			}
			c := dial(t, options(s))
			f, err := c.Select(t.Context(), "INBOX")
			if err != nil || !f.Deletes {
				t.Fatalf("%+v %v", f, err)
			}
			err = c.Delete(t.Context(), []uint32{1, 3})
			if plus {
				if err != nil || s.Count(t, "INBOX") != 3 {
					t.Errorf("%v, %d messages are left", err, s.Count(t, "INBOX"))
				}
				return
			}
			// What others have marked is theirs.
			if !errors.Is(err, imapclient.ErrOthersMarked) || s.Count(t, "INBOX") != 5 {
				t.Errorf("%v, %d messages are left", err, s.Count(t, "INBOX"))
			}
			if err := c.Delete(t.Context(), []uint32{1, 3, 5}); err != nil || s.Count(t, "INBOX") != 2 {
				t.Errorf("%v, %d messages are left", err, s.Count(t, "INBOX"))
			}
		})
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	s.Add(t, "INBOX", "X-Key: abc\r\n\r\n", day)
	s.Add(t, "INBOX", "X-Key: xabcx\r\n\r\n1", day)
	c := dial(t, options(s))
	examine(t, c, "INBOX")
	if got, err := c.WithHeader(t.Context(), "X-Key", "abc"); err != nil || !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := c.WithSize(t.Context(), 14); err != nil || !slices.Equal(got, []uint32{1}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := c.WithSize(t.Context(), 1); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}

// IDLE ends when mail comes, and with the context; then the connection is still in order.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	c := dial(t, options(s))
	examine(t, c, "INBOX")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Idle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
	idle := make(chan error)
	go func() { idle <- c.Idle(t.Context()) }()
	s.Add(t, "INBOX", "X: y\r\n\r\n", day)
	// The message may have come before the command: then it is told with the next one.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-idle:
			if err != nil {
				t.Error(err)
			}
			return
		case <-tick.C:
			s.Add(t, "INBOX", "X: y\r\n\r\n", day)
		}
	}
}

// Whom to trust.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := pop3test.NewCertificate(t, "imap.example.com")
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	pin := pop3client.PinOf(cert.Leaf)
	_, others := pop3test.NewCertificate(t, "imap.example.com")
	s := imaptest.Start(t, imaptest.Options{TLS: config})
	plain := imaptest.Start(t, imaptest.Options{})
	unknown := func(err error) bool { return errors.As(err, new(*tls.CertificateVerificationError)) }
	wrong := func(err error) bool { return errors.As(err, new(*pop3client.PinError)) }
	for name, test := range map[string]struct {
		change func(*imapclient.Options)
		fails  func(error) bool // nil: it works
	}{
		"authority":          {func(o *imapclient.Options) { o.RootCAs = pool }, nil},
		"another authority":  {func(o *imapclient.Options) { o.RootCAs = others }, unknown},
		"another name":       {func(o *imapclient.Options) { o.RootCAs = pool; o.Addr = "other.example.com:143" }, unknown},
		"pin":                {func(o *imapclient.Options) { o.Pins, o.PinsOnly = []pop3client.Pin{pin}, true }, nil},
		"another pin":        {func(o *imapclient.Options) { o.Pins, o.PinsOnly = []pop3client.Pin{{}}, true }, wrong},
		"pin and authority":  {func(o *imapclient.Options) { o.Pins = []pop3client.Pin{pin} }, unknown},
		"the caller decides": {func(o *imapclient.Options) { o.VerifyServer = func(tls.ConnectionState, error) error { return nil } }, nil},
		"no STARTTLS": {
			func(o *imapclient.Options) { o.DialContext = to(plain) },
			func(err error) bool { return errors.Is(err, imapclient.ErrNoStartTLS) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := imapclient.Options{
				Addr: "imap.example.com:143", Security: imapclient.StartTLS, User: imaptest.User, Password: imaptest.Password,
				RootCAs: x509.NewCertPool(), DialContext: to(s),
			}
			test.change(&o)
			c, err := imapclient.Dial(t.Context(), o)
			if err == nil {
				defer func() { _ = c.Close() }()
				examine(t, c, "INBOX")
			}
			if test.fails == nil && err != nil || test.fails != nil && !test.fails(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// to dials a server whatever its address.
func to(s *imaptest.Server) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Addr)
	}
}

// What is asked of a server that does not answer ends with its context, and after its time limit.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	s.Wrap(func(c net.Conn) net.Conn { return &silent{Conn: c, after: 300} })
	opt := options(s)
	opt.Timeout = 50 * time.Millisecond
	c, err := imapclient.Dial(t.Context(), opt)
	if err == nil {
		defer func() { _ = c.Close() }()
		_, err = c.Examine(t.Context(), "INBOX")
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
	opt.Timeout = time.Hour
	c, err = imapclient.Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Examine(ctx, "INBOX"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// silent says nothing more after so many octets.
type silent struct {
	net.Conn
	after int
}

func (s *silent) Write(p []byte) (int, error) {
	if s.after -= len(p); s.after < 0 {
		return len(p), nil
	}
	return s.Conn.Write(p)
}
