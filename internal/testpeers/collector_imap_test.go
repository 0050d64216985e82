package testpeers

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCollectDovecotIMAP brings home a folder of a real Dovecot by IMAP, in every way to connect, into a Maildir and into
// an account here, to the octet; a second run fetches nothing, and neither does one after the folder was made anew.
func TestCollectDovecotIMAP(t *testing.T) {
	t.Parallel()
	Need(t, "dovecot")
	NeedIMAP(t)
	wires := []string{"clear", "starttls", "imaps"}
	d := startDovecot(t, wires...)
	for _, w := range wires {
		t.Run(w, func(t *testing.T) {
			t.Parallel()
			server := map[string]string{
				"clear":    fmt.Sprintf("url = \"imap://%s@localhost:%s\"\ntls = \"none\"\n", w, Port(d.IMAP)),
				"starttls": fmt.Sprintf("url = \"imap://%s@localhost:%s/INBOX\"\nca = %q\n", w, Port(d.IMAP), d.CA),
				"imaps":    fmt.Sprintf("url = \"imaps://%s@localhost:%s\"\nca = %q\n", w, Port(d.IMAPS), d.CA),
			}[w]
			h := newHome(t, server+"keep = true")
			out := h.run(t, 0, "fetch")
			if want := fmt.Sprintf("far: %d messages fetched, ", len(corpus)); !strings.HasPrefix(out, want) {
				t.Errorf("got %q, want %q", out, want)
			}
			h.wantCorpus(t, asIs)
			if out := h.run(t, 0, "fetch"); out != "far: nothing new\n" {
				t.Errorf("the second run: %q", out)
			}
			if n := d.Flagged(t, w); n != 0 {
				t.Errorf("%d messages are marked on the server, want none", n)
			}
			d.Renew(t, w)
			if out := h.run(t, 0, "fetch"); !strings.HasPrefix(out, "far: nothing new") {
				t.Errorf("with another UIDVALIDITY: %q", out)
			}
			h.configure(t, server)
			if out, want := h.run(t, 0, "fetch"), fmt.Sprintf("far: nothing new; %d deleted there\n", len(corpus)); out != want {
				t.Errorf("the run that deletes: %q, want %q", out, want)
			}
			if n := d.Left(t, w); n != 0 {
				t.Errorf("%d messages are left on the server, want none", n)
			}
			h.wantCorpus(t, asIs)
		})
	}
}

// TestMoveBetweenDovecots moves a mailbox by IMAP into a folder with a name beyond ASCII on another server, with dates and
// marks, and from there home.
func TestMoveBetweenDovecots(t *testing.T) {
	t.Parallel()
	Need(t, "dovecot")
	NeedIMAP(t)
	from, to := startDovecot(t, "old"), StartDovecot(t, "", DovecotUser{Name: "new", Password: farPassword})
	const folder = "Gr%C3%BC%C3%9Fe%20%26%20mehr"
	h := newHome(t, fmt.Sprintf("url = \"imaps://old@localhost:%s\"\nca = %q", Port(from.IMAPS), from.CA))
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	there := fmt.Sprintf("to = [\"imap://new@localhost:%s/%s\"]\nimap_password = \"file:password\"", Port(to.IMAP), folder)
	text = regexp.MustCompile("(?m)^to = .*$").ReplaceAllLiteral(text, []byte(there))
	if err := os.WriteFile(h.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, want := h.run(t, 0, "fetch"), fmt.Sprintf("far: %d messages fetched, ", len(corpus)); !strings.HasPrefix(out, want) {
		t.Errorf("got %q, want %q", out, want)
	}
	if n := from.Left(t, "old"); n != 0 {
		t.Errorf("%d messages are left on the old server, want none", n)
	}
	if n := to.Left(t, "new"); n != 0 {
		t.Errorf("%d messages are in INBOX of the new server, want none", n)
	}
	h = newHome(t, fmt.Sprintf("url = \"imap://new@localhost:%s/%s\"\nca = %q", Port(to.IMAP), folder, to.CA))
	h.run(t, 0, "fetch")
	h.wantCorpus(t, asIs)
}
