package scan_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/scan"
	"github.com/postamt/postamt/internal/testpeers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func section(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}

const (
	header = "From: eve@example.com\r\nTo: bob@example.org\r\nSubject: hello\r\nMessage-ID: <1@example.com>\r\n"
	clean  = header + "\r\nHow are you?\r\n"
)

// infected is a message with the test virus attached, as viruses come.
func infected() string {
	return header + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nLook!\r\n--x\r\n" +
		"Content-Type: application/octet-stream; name=\"invoice.com\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(testpeers.Eicar)) + "\r\n--x--\r\n"
}

// Both real scanners, with all that a policy can make of what they find.
func TestScanners(t *testing.T) {
	t.Parallel()
	socket := testpeers.StartClamd(t)
	r, err := scan.NewRspamd(scan.RspamdOptions{Address: testpeers.StartRspamd(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var (
		spam     = header + "\r\n" + testpeers.GTUBE + "\r\n"
		probably = header + "\r\n" + strings.Replace(testpeers.GTUBE, "XJS", "YJS", 1) + "\r\n"
		huge     = clean + strings.Repeat("a long way to go\r\n", testpeers.ClamdLimit/16)
	)
	for _, test := range []struct {
		name, message string
		onVirus       scan.Action
		onSpam        scan.Action
		deliver       bool
		want          collect.Verdict
		fields, why   string // some of it, or "" for nothing of it
	}{
		{"clean", clean, scan.Drop, scan.Drop, false, collect.Fetch, "X-Virus-Status: Clean\r\nX-Spam-Status: No, score=0.00", ""},
		{"virus, tag", infected(), scan.Tag, scan.Drop, false, collect.Fetch, "X-Virus-Status: Infected (Eicar-Test.UNOFFICIAL)\r\nX-Spam-Status: No", "virus Eicar-Test"},
		{"virus, quarantine", infected(), scan.Quarantine, scan.Tag, false, collect.Quarantine, "X-Virus-Status: Infected", "virus Eicar-Test"},
		{"virus, leave", infected(), scan.Leave, scan.Tag, false, collect.Leave, "", "virus"},
		{"virus, drop", infected(), scan.Drop, scan.Tag, false, collect.Discard, "", "virus"},
		{"spam, tag", spam, scan.Drop, scan.Tag, false, collect.Fetch, "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=15.00 required=15.00 action=reject", ""},
		{"spam, quarantine", spam, scan.Drop, scan.Quarantine, false, collect.Quarantine, "X-Spam-Flag: YES", "spam 15.0 of 15.0"},
		{"spam, drop", spam, scan.Leave, scan.Drop, false, collect.Discard, "", "spam"},
		{"probably spam", probably, scan.Drop, scan.Drop, false, collect.Fetch, "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=6.00 required=15.00 action=add_header", ""},
		{"too large", huge, scan.Drop, scan.Drop, true, collect.Fetch, "X-Virus-Scanned: No (message too large)\r\nX-Spam-Status: No", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &scan.Policy{
				Clamd: &scan.Clamd{Network: "unix", Address: socket}, OnVirus: test.onVirus,
				Rspamd: r, OnSpam: test.onSpam, DeliverUnscanned: test.deliver,
			}
			f, err := p.Scan(t.Context(), collect.Letter{Key: "k", Sender: "eve@example.com", Recipients: []string{"bob@example.org"}}, section(test.message))
			if err != nil {
				t.Fatal(err)
			}
			if f.Verdict != test.want || !strings.Contains(f.Fields, test.fields) || !strings.Contains(f.Why, test.why) || test.why == "" && f.Why != "" {
				t.Errorf("got %v with %q because %q, want %v with %q because %q", f.Verdict, f.Fields, f.Why, test.want, test.fields, test.why)
			}
		})
	}
	t.Run("too large, retry", func(t *testing.T) {
		p := &scan.Policy{Clamd: &scan.Clamd{Network: "unix", Address: socket}}
		_, err := p.Scan(t.Context(), collect.Letter{}, section(huge))
		var temporary *collect.TemporaryError
		if !errors.Is(err, scan.ErrTooLarge) || errors.As(err, &temporary) {
			t.Errorf("got %v, want ErrTooLarge for good", err)
		}
	})
}

// clamd plays the daemon: it takes a message and answers.
func clamd(t *testing.T, answer string) string {
	t.Helper()
	return testpeers.Listen(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		if verb, _ := in.ReadString(0); verb != "zINSTREAM\x00" {
			t.Errorf("the command is %q", verb)
		}
		for {
			var n uint32
			if binary.Read(in, binary.BigEndian, &n) != nil || n == 0 {
				break
			}
			_, _ = io.CopyN(io.Discard, in, int64(n))
		}
		_, _ = io.WriteString(conn, answer)
	})
}

// A scanner that says nothing sensible has said nothing.
func TestClamdAnswers(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"stream: OK\x00":                                     "",
		"stream: Win.Test\x00":                               "error",
		"stream: Bad(Name)\r\nX: y FOUND\x00":                "Bad_Name___X:_y",
		"stream: " + strings.Repeat("x", 300) + " FOUND\x00": strings.Repeat("x", 100),
		"INSTREAM size limit exceeded. ERROR\x00":            "error",
		"stream: Can't open file ERROR\x00":                  "error",
		"":                                                   "error",
		strings.Repeat("stream: OK", 100_000):                "error",
	} {
		c := scan.Clamd{Network: "tcp", Address: clamd(t, answer)}
		virus, err := c.Scan(t.Context(), strings.NewReader(clean))
		if (err != nil) != (want == "error") || err == nil && virus != want {
			t.Errorf("answer %.40q: %q %v, want %q", answer, virus, err, want)
		}
		if err != nil && (len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\x00\r\n")) {
			t.Errorf("answer %.40q: the error is not fit to be shown: %.500q", answer, err)
		}
	}
}

func TestRspamdAnswers(t *testing.T) {
	t.Parallel()
	status, body := 200, ""
	var got http.Header
	var length int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, length = r.Header, r.ContentLength
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	r, err := scan.NewRspamd(scan.RspamdOptions{
		Address: server.URL, Password: func(context.Context) (string, error) { return "secret", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, test := range []struct {
		status int
		body   string
		want   error
	}{
		{200, `{"action":"no action","score":1,"required_score":15}`, nil},
		{200, `{}`, errAny},
		{200, "<html>", errAny},
		{200, "", errAny},
		{500, "{}", errAny},
		{302, "{}", errAny},
		{200, `{"action":"` + strings.Repeat("x", 2<<20) + `"}`, errAny}, // cut off at its bound
		{413, "", scan.ErrTooLarge},
	} {
		status, body = test.status, test.body
		s, err := r.Scan(t.Context(), collect.Letter{Key: "k", Sender: "a\r\nb", Recipients: append([]string{"bob@example.org", "x\r\ny"}, strings.Split(strings.Repeat("z@example.org ", 5000), " ")...)}, section(clean))
		switch {
		case test.want == nil && (err != nil || s.Action != "no action" || s.Score != 1):
			t.Errorf("%d %.30q: %+v %v", test.status, test.body, s, err)
		case test.want == errAny && err == nil, test.want != nil && test.want != errAny && !errors.Is(err, test.want):
			t.Errorf("%d %.30q: %+v %v, want %v", test.status, test.body, s, err, test.want)
		}
	}
	if got.Get("Password") != "secret" || got.Get("From") != "" || got.Get("Rcpt") != "bob@example.org" || len(got["Rcpt"]) != 99 || length != int64(len(clean)) {
		t.Errorf("asked with %v and %d octets", got, length)
	}
}

var errAny = errors.New("any error")

// A scanner that is away keeps mail where it is, or, if the policy says so, lets it pass with a word about it.
func TestScannerAway(t *testing.T) {
	t.Parallel()
	r, err := scan.NewRspamd(scan.RspamdOptions{Address: "unix:/nonexistent/rspamd.sock"})
	if err != nil {
		t.Fatal(err)
	}
	p := &scan.Policy{Clamd: &scan.Clamd{Network: "unix", Address: "/nonexistent/clamd.sock"}, Rspamd: r}
	_, err = p.Scan(t.Context(), collect.Letter{}, section(clean))
	if collect.Classify(err) != collect.Temporary || err == nil || !strings.Contains(err.Error(), "clamd") {
		t.Errorf("got %v, want it to be temporary and about clamd", err)
	}
	p.DeliverUnscanned = true
	f, err := p.Scan(t.Context(), collect.Letter{}, section(clean))
	want := "X-Virus-Scanned: No (scanner away)\r\nX-Spam-Scanned: No (scanner away)\r\n"
	if err != nil || f.Verdict != collect.Fetch || f.Fields != want {
		t.Errorf("got %+v %v, want it delivered with %q", f, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Scan(ctx, collect.Letter{}, section(clean)); err == nil {
		t.Error("a cancelled scan let the message pass")
	}
}

// A message that cannot be read to its end is not waited for, and what clamd thinks of a part of it is not its word.
func TestClamdPart(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	c := scan.Clamd{Network: "tcp", Address: clamd(t, "stream: OK\x00")}
	if virus, err := c.Scan(t.Context(), io.MultiReader(strings.NewReader(clean), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken disk: %q %v", virus, err)
	}
	for answer, want := range map[string]string{"stream: OK\x00": "", "stream: Eicar FOUND\x00": "Eicar"} {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.ReadFull(theirs, make([]byte, 20))
			_, _ = io.WriteString(theirs, answer)
			_ = theirs.Close()
		}()
		c := scan.Clamd{Dial: func(context.Context) (net.Conn, error) { return &deaf{ours, 2}, nil }}
		virus, err := c.Scan(t.Context(), strings.NewReader(clean))
		if virus != want || (err == nil) != (want != "") {
			t.Errorf("%q in the middle: %q %v", answer, virus, err)
		}
		<-done
	}
}

// A deaf connection takes so many writes, the last not all of it.
type deaf struct {
	net.Conn
	left int
}

func (d *deaf) Write(p []byte) (int, error) {
	if d.left--; d.left > 0 {
		return d.Conn.Write(p)
	}
	n, _ := d.Conn.Write(p[:min(len(p), 10)])
	return n, errors.New("deaf")
}

// A scanner that stalls does not hold a run up for ever.
func TestClamdStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := scan.Clamd{Dial: func(context.Context) (net.Conn, error) { return ours, nil }}
		start := time.Now()
		if _, err := c.Scan(t.Context(), strings.NewReader(clean)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestParseAction(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]scan.Action{"tag": scan.Tag, "quarantine": scan.Quarantine, "leave": scan.Leave, "drop": scan.Drop} {
		if got, err := scan.ParseAction(word); got != want || err != nil {
			t.Errorf("%s: %v %v", word, got, err)
		}
	}
	if _, err := scan.ParseAction("burn"); err == nil {
		t.Error("burn is an action")
	}
	if _, err := scan.NewRspamd(scan.RspamdOptions{Address: "rspamd"}); err == nil {
		t.Error("an address without a scheme is taken")
	}
}

// A Policy is the scanner of an account.
func ExamplePolicy() {
	p := &scan.Policy{Clamd: &scan.Clamd{Network: "unix", Address: "/nonexistent/clamd.ctl"}, OnVirus: scan.Leave, DeliverUnscanned: true}
	const message = "Subject: hello\r\n\r\n"
	f, err := p.Scan(context.Background(), collect.Letter{}, io.NewSectionReader(strings.NewReader(message), 0, int64(len(message))))
	fmt.Printf("%v %q %v\n", f.Verdict, f.Fields, err)
	// Output: fetch "X-Virus-Scanned: No (scanner away)\r\n" <nil>
}
