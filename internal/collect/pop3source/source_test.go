package pop3source_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

func secret(context.Context) (string, error) { return "secret", nil }

// source returns a source whose server plays the dialogue in the clear.
func source(t *testing.T, dialogue ...pop3test.Step) *pop3source.Source {
	t.Helper()
	peer := pop3test.NewScriptedPeer(t, dialogue...)
	s, err := pop3source.New(pop3source.Options{
		URL: "pop3://alice@pop.example.com", Password: secret, Cleartext: true,
		Client: pop3client.Options{DialContext: peer.DialContext},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// dialogue joins dialogues in the manner of the RFCs.
func dialogue(texts ...string) pop3test.Script {
	return pop3test.Dialogue(strings.Join(texts, "\n"))
}

const (
	greeting = "S: +OK ready\nC: CAPA"
	noCapa   = "S: -ERR unknown command"
	signIn   = "C: USER alice\nS: +OK\nC: PASS secret\nS: +OK"
	quit     = "C: QUIT\nS: +OK bye"
)

func capa(lines string) string {
	out := "S: +OK"
	for _, l := range strings.Split(lines, ",") {
		out += "\nS: " + l
	}
	return out + "\nS: ."
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		opt  pop3source.Options
		want string
	}{
		{pop3source.Options{URL: "imap://alice@h"}, "neither pop3s:// nor pop3://"},
		{pop3source.Options{URL: "pop3s://alice:pw@h"}, "password in it"},
		{pop3source.Options{URL: "pop3s://alice@h/inbox"}, "behind the host"},
		{pop3source.Options{URL: "pop3s://alice@h", Cleartext: true}, "asks for TLS"},
	} {
		test.opt.Password = secret
		_, err := pop3source.New(test.opt)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, want %q", test.opt.URL, err, test.want)
		}
	}
	if _, err := pop3source.New(pop3source.Options{URL: "pop3s://alice@h"}); err == nil {
		t.Error("no password source is no error")
	}
}

func TestHostAndUser(t *testing.T) {
	t.Parallel()
	s, err := pop3source.New(pop3source.Options{URL: "pop3s://al%40ice@POP.example.com:1995", Password: secret})
	if err != nil || s.Host() != "pop.example.com" || s.User() != "al@ice" {
		t.Errorf("%q %q %v", s.Host(), s.User(), err)
	}
}

// What a refusal means (RFC 3206, RFC 2449 §8): only what blames the password, or the server for good, needs a person.
func TestWhatARefusalMeans(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reply string
		capa  string // empty: none
		want  collect.Class
	}{
		{"-ERR [AUTH] wrong", "USER", collect.Permanent},
		{"-ERR [SYS/PERM] broken", "USER", collect.Permanent},
		{"-ERR [IN-USE] busy", "USER", collect.Busy},
		{"-ERR [LOGIN-DELAY] slow down", "USER", collect.Busy},
		{"-ERR [SYS/TEMP] later", "USER", collect.Temporary},
		{"-ERR [sys/temp/disk] later", "USER", collect.Temporary},
		{"-ERR Logon failure: unknown user name or bad password", "USER", collect.Refused},
		{"-ERR Logon failure", "USER,AUTH-RESP-CODE", collect.Temporary},
		{"-ERR no", "", collect.Refused},
		{"-ERR mailbox is locked by another session", "", collect.Busy},
		{"-ERR Maildrop already locked", "", collect.Busy},
	} {
		t.Run(test.reply+" "+test.capa, func(t *testing.T) {
			t.Parallel()
			announced := noCapa
			if test.capa != "" {
				announced = capa(test.capa)
			}
			s := source(t, append(dialogue(greeting, announced, "C: USER alice", "S: +OK", "C: PASS secret", "S: "+test.reply), pop3test.ExpectHangUp())...)
			_, err := s.Open(t.Context())
			if got := collect.Classify(err); got != test.want {
				t.Errorf("%v is %v, want %v", err, got, test.want)
			}
		})
	}
}

// AOL and others hang up on a wrong password.
func TestHangingUpIsARefusal(t *testing.T) {
	t.Parallel()
	_, err := source(t, append(dialogue(greeting, noCapa, "C: USER alice", "S: +OK", "C: PASS secret"), pop3test.Cut())...).Open(t.Context())
	if collect.Classify(err) != collect.Refused {
		t.Errorf("%v is %v", err, collect.Classify(err))
	}
	_, err = source(t, pop3test.Reply("-ERR [SYS/TEMP] try later"), pop3test.ExpectHangUp()).Open(t.Context())
	if collect.Classify(err) != collect.Temporary {
		t.Errorf("greeting: %v is %v", err, collect.Classify(err))
	}
}

// Without STLS no password goes out, and a person is asked.
func TestUnsafeConnectionsNeedAPerson(t *testing.T) {
	t.Parallel()
	stls := pop3test.NewScriptedPeer(t, append(dialogue(greeting, capa("USER")), dialogue(quit).Then(pop3test.MayHangUp())...)...)
	s, err := pop3source.New(pop3source.Options{URL: "pop3://alice@pop.example.com", Password: secret, Client: pop3client.Options{DialContext: stls.DialContext}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context()); collect.Classify(err) != collect.Permanent || !errors.Is(err, pop3client.ErrNoSTLS) {
		t.Errorf("no STLS: %v is %v", err, collect.Classify(err))
	}
}

func TestPasswordThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s, err := pop3source.New(pop3source.Options{URL: "pop3s://alice@h", Password: func(context.Context) (string, error) { return "", errors.New("no such file") }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context()); collect.Classify(err) != collect.Permanent {
		t.Errorf("%v", err)
	}
}

// open signs in and hands out the session. The rest of the dialogue ends with QUIT.
func open(t *testing.T, announced string, rest ...string) collect.Session {
	t.Helper()
	texts := append([]string{greeting, announced, signIn, "C: CAPA", announced}, rest...)
	s, err := source(t, append(dialogue(append(texts, quit)...), pop3test.MayHangUp())...).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestInfo(t *testing.T) {
	t.Parallel()
	s := open(t, capa("USER,LOGIN-DELAY 900,EXPIRE 5"))
	if diff := cmp.Diff(collect.SessionInfo{LoginDelay: 900e9, Expires: true, ExpireDays: 5}, s.Info()); diff != "" {
		t.Error(diff)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

const list = "C: LIST\nS: +OK\nS: 1 120\nS: 2 -5\nS: 3 4294967296 extra\nS: ."

func TestList(t *testing.T) {
	t.Parallel()
	withoutUIDs := []collect.Remote{{Num: 1, Size: 120}, {Num: 2, Size: -1}, {Num: 3, Size: 4294967296}}
	withUIDs := slices.Clone(withoutUIDs)
	withUIDs[0].UID, withUIDs[2].UID = "a", "A"
	uidl := "C: UIDL\nS: +OK\nS: 1 a\nS: 2 \nS: 3   A\nS: 4 other\nS: ."
	for _, test := range []struct {
		name, capa, uidl string
		want             []collect.Remote
		fails            bool
	}{
		{"all", capa("USER,UIDL"), uidl, withUIDs, false},
		{"not announced", capa("USER"), uidl, withUIDs, false},
		{"server without UIDL", noCapa, "C: UIDL\nS: -ERR unknown command", withoutUIDs, false},
		// mpop takes the refusal for a server without UIDL, and downloads everything again.
		{"UIDL fails now", capa("USER,UIDL"), "C: UIDL\nS: -ERR try later", nil, true},
		{"UIDL fails and says so", noCapa, "C: UIDL\nS: -ERR [SYS/TEMP] try later", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.capa, list, test.uidl)
			got, err := s.List(t.Context())
			if (err != nil) != test.fails {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			if err := s.Finish(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEmptyMailbox(t *testing.T) {
	t.Parallel()
	s := open(t, noCapa, "C: LIST\nS: +OK\nS: .")
	if got, err := s.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoHeaders(t *testing.T) {
	t.Parallel()
	s := open(t, noCapa, "C: TOP 1 0\nS: -ERR unknown command")
	if _, err := s.Header(t.Context(), collect.Remote{Num: 1}); !errors.Is(err, collect.ErrNoHeaders) {
		t.Error(err)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	s = open(t, capa("USER,TOP"), "C: TOP 1 0\nS: -ERR message 1 expunged")
	var of *collect.MessageError
	if _, err := s.Header(t.Context(), collect.Remote{Num: 1}); !errors.As(err, &of) || of.Num != 1 {
		t.Error(err)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// Prepare sends commands ahead where the server announces PIPELINING; a call that was not announced ends that, and a
// message that is refused is no end of the session.
func TestPrepare(t *testing.T) {
	t.Parallel()
	ms := []collect.Remote{{Num: 1, Size: 10}, {Num: 2, Size: 10}, {Num: 3, Size: 10}}
	s := open(t, capa("USER,PIPELINING"),
		"C: RETR 1", "C: RETR 2", "C: RETR 3", "S: +OK", "S: one", "S: .", "S: -ERR gone", "S: +OK", "S: three", "S: .",
		"C: RETR 1", "S: +OK", "S: again", "S: .",
		"C: DELE 1", "C: DELE 2", "S: +OK", "S: -ERR no")
	s.Prepare(t.Context(), collect.OpRetrieve, ms)
	want := []string{"one\r\n", "", "three\r\n"}
	for i, m := range append(ms, ms[0]) {
		want = append(want, "again\r\n")
		body, err := s.Retrieve(t.Context(), m)
		var of *collect.MessageError
		if i == 1 {
			if !errors.As(err, &of) {
				t.Errorf("message 2: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != want[i] {
			t.Errorf("message %d: %q, %v", i, got, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	s.Prepare(t.Context(), collect.OpDelete, ms[:2])
	if err := s.Delete(t.Context(), ms[0]); err != nil {
		t.Error(err)
	}
	var of *collect.MessageError
	if err := s.Delete(t.Context(), ms[1]); !errors.As(err, &of) {
		t.Error(err)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// Leaving a batch early skips what was sent ahead.
func TestPrepareGivenUp(t *testing.T) {
	t.Parallel()
	ms := []collect.Remote{{Num: 1, Size: 10}, {Num: 2, Size: 10}}
	s := open(t, capa("USER,PIPELINING"), "C: RETR 1", "C: RETR 2", "S: +OK", "S: one", "S: .", "S: +OK", "S: two", "S: .")
	s.Prepare(t.Context(), collect.OpRetrieve, ms)
	body, err := s.Retrieve(t.Context(), ms[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// A QUIT that is refused, or not answered, is not a confirmation.
func TestFinishIsOnlyOKWithOK(t *testing.T) {
	t.Parallel()
	for _, end := range []pop3test.Step{pop3test.Reply("-ERR some deleted messages not removed"), pop3test.Cut()} {
		s, err := source(t, append(dialogue(greeting, noCapa, signIn, "C: CAPA", noCapa, "C: QUIT"), end, pop3test.MayHangUp())...).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(t.Context()); err == nil {
			t.Errorf("%v: no error", end)
		}
	}
}
