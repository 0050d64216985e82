package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

func ExampleDialURL() {
	addr, stop := exampleServer()
	defer stop()
	popURL := "pop://alice;AUTH=SCRAM-SHA-256@" + addr

	// The password is looked up by what the URL says, and never stands in it.
	password := func(_ context.Context, u pop3.URL) (string, error) {
		if u.User != "alice" || u.Host != "127.0.0.1" {
			return "", errors.New("I know no password for that")
		}
		return "looking-glass", nil
	}
	ctx := context.Background()
	c, err := pop3client.DialURL(ctx, popURL, &pop3client.Options{Security: pop3client.Clear}, password)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	count, _, err := c.Stat(ctx)
	fmt.Println(count, "messages", err)

	_, err = pop3client.DialURL(ctx, "pop://alice:looking-glass@"+addr, nil, password)
	fmt.Println(err)
	// Output:
	// 3 messages <nil>
	// pop3: malformed POP URL: a password is not allowed in it
}

// sesame answers for mrose at the host, and for nobody else.
func sesame(_ context.Context, u pop3.URL) (string, error) {
	if u.User != "mrose" || u.Host != host {
		return "", fmt.Errorf("asked for %s at %s", u.User, u.Host)
	}
	return "tanstaaf", nil
}

// What AUTH= says is done, and nothing else (RFC 2384 §4).
func TestDialURL(t *testing.T) {
	t.Parallel()
	const offer = "C: CAPA\nS: +OK\nS: SASL PLAIN LOGIN\nS: USER\nS: .\n"
	for _, tt := range []struct{ name, url, dialogue string }{
		{"the client's choice", "pop://mrose@" + host, offer + "C: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: +OK"},
		{"any", "pop://mrose;AUTH=*@" + host, offer + "C: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: +OK"},
		{"one", "pop://mrose;AUTH=login@" + host, offer + "C: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: bXJvc2U=\nS: + UGFzc3dvcmQ6\nC: dGFuc3RhYWY=\nS: +OK"},
		{"APOP", "pop://mrose;AUTH=+apop@" + host, "C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK"},
		{"nobody", "pop://" + host, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer := pop3test.NewScriptedPeer(t, pop3test.Dialogue("S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>").
				Then(pop3test.Dialogue(tt.dialogue)...).Then(pop3test.ExpectHangUp())...)
			c, err := pop3client.DialURL(t.Context(), tt.url, inTheClear(peer), sesame)
			if err != nil {
				t.Fatal(err)
			}
			if want := tt.dialogue != ""; c.SignedIn() != want {
				t.Errorf("signed in: %v", c.SignedIn())
			}
			c.Close()
			if err := peer.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The port is that of the URL, else that of Options.Security.
func TestDialURLPort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url      string
		security pop3client.Security
		want     string
	}{
		{"pop://h", pop3client.TLS, "h:995"},
		{"pop://h", pop3client.STLS, "h:110"},
		{"pop://h:110", pop3client.TLS, "h:110"},
		{"pop://[::1]:8110", pop3client.Clear, "[::1]:8110"},
	} {
		var got string
		opt := &pop3client.Options{Security: tt.security, ConnectTimeout: -1, DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			got = addr
			return nil, io.ErrNoProgress
		}}
		if _, err := pop3client.DialURL(t.Context(), tt.url, opt, nil); !errors.Is(err, io.ErrNoProgress) || got != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.url, got, err, tt.want)
		}
	}
}

// Hostile URLs: nothing is connected, or nothing is sent, and no password that stands there is shown.
func TestDialURLRefuses(t *testing.T) {
	t.Parallel()
	unreached := &pop3client.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("it connects")
		return nil, io.ErrNoProgress
	}}
	for _, bad := range []string{
		"", "imap://h", "pop://mrose:hunter2@h", "pop://mrose%0d%0aDELE%201@h", "pop://h/../x", "pop://mrose;AUTH=PLAIN;X=1@h",
	} {
		if _, err := pop3client.DialURL(t.Context(), bad, unreached, sesame); !errors.Is(err, pop3.ErrURL) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := pop3client.DialURL(t.Context(), "pop://mrose;AUTH=+OTHER@h", unreached, sesame); !errors.Is(err, pop3client.ErrNoMechanism) {
		t.Errorf("another extension: %v", err)
	}
	only := *unreached
	only.Mechanisms = []string{"SCRAM-SHA-256"}
	if _, err := pop3client.DialURL(t.Context(), "pop://mrose;AUTH=PLAIN@h", &only, sesame); !errors.Is(err, pop3client.ErrNoMechanism) {
		t.Errorf("a mechanism that is not allowed: %v", err)
	}
	if _, err := pop3client.DialURL(t.Context(), "pop://mrose@h", unreached, nil); err == nil {
		t.Error("a user is taken without a password")
	}

	const greeting = "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\n"
	for _, tt := range []struct {
		url, dialogue string
		want          error
	}{
		{"pop://mrose;AUTH=+APOP@" + host, greeting, pop3client.ErrCleartext},
		{"pop://mrose;AUTH=PLAIN@" + host, greeting + "C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .", pop3client.ErrCleartext},
		{"pop://mrose;AUTH=XOAUTH2@" + host, greeting, pop3client.ErrCleartext},
		{"pop://mrose;AUTH=GSSAPI@" + host, greeting + "C: CAPA\nS: +OK\nS: SASL GSSAPI PLAIN\nS: .", pop3client.ErrNoMechanism},
	} {
		peer := pop3test.NewScriptedPeer(t, pop3test.Dialogue(tt.dialogue).Then(pop3test.ExpectHangUp())...)
		opt := &pop3client.Options{Security: pop3client.Clear, DialContext: peer.DialContext}
		if _, err := pop3client.DialURL(t.Context(), tt.url, opt, sesame); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.url, err, tt.want)
		}
		if err := peer.Wait(); err != nil {
			t.Errorf("%s: %v", tt.url, err)
		}
	}
	peer := pop3test.NewScriptedPeer(t, pop3test.Dialogue(greeting).Then(pop3test.ExpectHangUp())...)
	if _, err := pop3client.DialURL(t.Context(), "pop://eve@"+host, inTheClear(peer), sesame); err == nil || !strings.Contains(err.Error(), "asked for eve") {
		t.Errorf("another user: %v", err)
	}
	if err := peer.Wait(); err != nil {
		t.Error(err)
	}
}
