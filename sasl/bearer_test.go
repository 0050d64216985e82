package sasl_test

import (
	"errors"
	"strings"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/sasl"
)

// The messages of RFC 7628 §4.1 and of Google's page on XOAUTH2.
const (
	rfcToken       = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
	rfcBearer      = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer " + rfcToken + "\x01\x01"
	rfcBearerPlain = "n,,\x01auth=Bearer " + rfcToken + "\x01\x01"
	googleToken    = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
	googleXOAuth2  = "user=someuser@example.com\x01auth=Bearer " + googleToken + "\x01\x01"
)

func TestBearerClient(t *testing.T) {
	t.Parallel()
	full := sasl.Bearer{User: "user@example.com", Token: rfcToken, Host: "server.example.com", Port: 143}
	for _, tt := range []struct {
		name   string
		client *sasl.BearerClient
		mech   string
		want   string
		answer string
	}{
		{"RFC 7628 §4.1", sasl.NewOAuthBearerClient(full), "OAUTHBEARER", rfcBearer, "\x01"},
		{"the user that the token says", sasl.NewOAuthBearerClient(sasl.Bearer{Token: rfcToken}), "OAUTHBEARER", rfcBearerPlain, "\x01"},
		{
			"name with comma and equals sign", sasl.NewOAuthBearerClient(sasl.Bearer{User: "a,b=c", Token: "hunter2"}), "OAUTHBEARER",
			"n,a=a=2Cb=3Dc,\x01auth=Bearer hunter2\x01\x01", "\x01",
		},
		{"Google", sasl.NewXOAuth2Client(sasl.Bearer{User: "someuser@example.com", Token: googleToken, Host: "h", Port: 1}), "XOAUTH2", googleXOAuth2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mech, ir, err := tt.client.Start()
			if mech != tt.mech || string(ir) != tt.want || err != nil {
				t.Errorf("Start = %q, %q, %v; want %q", mech, ir, err, tt.want)
			}
			if tt.client.Refused() != nil {
				t.Error("refused before anybody has")
			}
			// C-061
			answer, err := tt.client.Next([]byte(`{"status":"invalid_token","scope":"mail","openid-configuration":"https://example.com/c"}`))
			if string(answer) != tt.answer || answer == nil || err != nil {
				t.Errorf("Next = %q, %v; want %q", answer, err, tt.answer)
			}
			want := &sasl.TokenError{Status: "invalid_token", Scope: "mail", Configuration: "https://example.com/c"}
			if diff := cmp.Diff(error(want), tt.client.Refused()); diff != "" {
				t.Error(diff)
			}
			if !errors.Is(tt.client.Refused(), sasl.ErrCredentials) {
				t.Error("a refused token is not ErrCredentials")
			}
			if _, err := tt.client.Next([]byte("{}")); !errors.Is(err, sasl.ErrMalformed) {
				t.Errorf("a second challenge: %v", err)
			}
		})
	}
}

// What servers say in place of RFC 7628's JSON does not stop the exchange from being ended as it must.
func TestBearerClientReadsErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 501)
	for _, tt := range []struct {
		challenge string
		want      sasl.TokenError
	}{
		{`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`, sasl.TokenError{Status: "400", Scope: "https://mail.google.com/"}},
		{`{"status":401}`, sasl.TokenError{Status: "401"}},
		{`{"status":null,"scope":{"a":1}}`, sasl.TokenError{Scope: `{"a":1}`}},
		{``, sasl.TokenError{}},
		{`go away`, sasl.TokenError{}},
		{`[1]`, sasl.TokenError{}},
		{`{"status":"a\nb","scope":"` + long + `"}`, sasl.TokenError{}},
		{`{"status":"token hunter2 is bad","scope":"mail"}`, sasl.TokenError{Scope: "mail"}},
		{`{"status":"x","pad":"` + strings.Repeat("x", sasl.MaxMessage) + `"}`, sasl.TokenError{}},
	} {
		c := sasl.NewXOAuth2Client(sasl.Bearer{User: "u", Token: "hunter2"})
		answer, err := c.Next([]byte(tt.challenge))
		if len(answer) != 0 || answer == nil || err != nil {
			t.Errorf("%.50q: Next = %q, %v", tt.challenge, answer, err)
		}
		if diff := cmp.Diff(error(&tt.want), c.Refused()); diff != "" {
			t.Errorf("%.50q: %s", tt.challenge, diff)
		}
		if strings.Contains(c.Refused().Error(), "hunter2") {
			t.Errorf("%.50q: the error shows the token", tt.challenge)
		}
	}
}

func TestBearerClientRefusesToSend(t *testing.T) {
	t.Parallel()
	for _, b := range []sasl.Bearer{
		{User: "u"},
		{User: "u", Token: "a b"},
		{User: "u", Token: "a\x01b"},
		{User: "u", Token: "a\r\nb"},
		{User: "u", Token: "\u00e4"},
		{User: "u", Token: strings.Repeat("x", sasl.MaxToken+1)},
		{User: "a\x01b", Token: "t"},
		{User: strings.Repeat("x", sasl.MaxName+1), Token: "t"},
		{User: "u", Token: "t", Host: "a\x01b"},
		{User: "u", Token: "t", Port: 65536},
	} {
		for _, c := range []*sasl.BearerClient{sasl.NewOAuthBearerClient(b), sasl.NewXOAuth2Client(b)} {
			if _, ir, err := c.Start(); ir != nil || !errors.Is(err, sasl.ErrMalformed) || b.Token != "" && len(b.Token) > 1 && strings.Contains(err.Error(), b.Token) {
				t.Errorf("user %.50q: Start = %.50q, %v", b.User, ir, err)
			}
		}
	}
	if _, _, err := sasl.NewXOAuth2Client(sasl.Bearer{Token: "t"}).Start(); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("XOAUTH2 without a user: %v", err)
	}
	long := strings.Repeat("x", sasl.MaxToken)
	if _, ir, err := sasl.NewOAuthBearerClient(sasl.Bearer{User: "u", Token: long}).Start(); len(ir) < sasl.MaxToken || err != nil {
		t.Errorf("the longest token: %v", err)
	}
}

// checkRFC lets the token of RFC 7628 in.
func checkRFC(b sasl.Bearer) (string, error) {
	if b.Token != rfcToken {
		return "", &sasl.TokenError{Status: "invalid_token", Scope: "mail"}
	}
	return "user@example.com", nil
}

func TestBearerServer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sasl.MaxName+1)
	for _, tt := range []struct {
		name, oauthbearer, xoauth2 string
		want                       error
	}{
		{"good", rfcBearer, "user=user@example.com\x01auth=Bearer " + rfcToken + "\x01\x01", nil},
		{"unknown pair", "n,,\x01x=y z\x01auth=Bearer " + rfcToken + "\x01\x01", "user=u\x01x=y\x01auth=bearer " + rfcToken + "\x01\x01", nil},
		{"wrong token", "n,,\x01auth=Bearer x\x01\x01", "user=u\x01auth=Bearer x\x01\x01", sasl.ErrCredentials},

		{"empty", "", "", sasl.ErrMalformed},
		{"no end", "n,,\x01auth=Bearer x\x01", "user=u\x01auth=Bearer x", sasl.ErrMalformed},
		{"no token", "n,,\x01host=x\x01\x01", "user=u\x01\x01", sasl.ErrMalformed},
		{"empty token", "n,,\x01auth=Bearer \x01\x01", "user=u\x01auth=Bearer\x01\x01", sasl.ErrMalformed},
		{"another scheme", "n,,\x01auth=Basic x\x01\x01", "user=u\x01auth=Basic x\x01\x01", sasl.ErrMalformed},
		{"twice", "n,,\x01auth=Bearer x\x01auth=Bearer x\x01\x01", "user=u\x01user=u\x01auth=Bearer x\x01\x01", sasl.ErrMalformed},
		{"no pair", "n,,\x01x\x01auth=Bearer x\x01\x01", "user=u\x01=\x01auth=Bearer x\x01\x01", sasl.ErrMalformed},
		{"name too long", "n,a=" + long + ",\x01auth=Bearer x\x01\x01", "user=" + long + "\x01auth=Bearer x\x01\x01", sasl.ErrMalformed},
		{"key with other letters", "n,,\x01\u0141=x\x01auth=Bearer x\x01\x01", "user=u\x01a1=\x01auth=Bearer x\x01\x01", sasl.ErrMalformed},
		{"too long", "n,,\x01x=" + strings.Repeat("x", sasl.MaxMessage), strings.Repeat("x", sasl.MaxMessage+1), sasl.ErrMalformed},
		{"only of OAUTHBEARER: binding", "p=tls-exporter,,\x01auth=Bearer x\x01\x01", "", sasl.ErrMalformed},
		{"only of OAUTHBEARER: name", "n,u=x,\x01auth=Bearer x\x01\x01", "", sasl.ErrMalformed},
		{"only of OAUTHBEARER: escape", "n,a=x=,\x01auth=Bearer x\x01\x01", "", sasl.ErrMalformed},
		{"only of OAUTHBEARER: port", "n,,\x01port=99999\x01auth=Bearer x\x01\x01", "", sasl.ErrMalformed},
		{"only of XOAUTH2: no user", "", "auth=Bearer x\x01\x01", sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, withIR := range []bool{true, false} {
				for _, e := range []struct {
					s   *sasl.BearerServer
					msg string
				}{{sasl.NewOAuthBearerServer(checkRFC), tt.oauthbearer}, {sasl.NewXOAuth2Server(checkRFC), tt.xoauth2}} {
					if !withIR {
						next(t, e.s, nil, "", false)
					}
					challenge, done, err := e.s.Next([]byte(e.msg))
					if errors.Is(tt.want, sasl.ErrCredentials) && challenge != nil && err == nil { // S-114
						if !strings.Contains(string(challenge), `"status":"invalid_token"`) || !strings.Contains(string(challenge), `"scope":"mail"`) {
							t.Errorf("challenge %s", challenge)
						}
						challenge, done, err = e.s.Next([]byte{1})
					}
					if challenge != nil || done != (tt.want == nil) || !errors.Is(err, tt.want) {
						t.Fatalf("Next = %q, %v, %v; want %v", challenge, done, err, tt.want)
					}
					if _, user := e.s.Names(); tt.want == nil && user != "user@example.com" {
						t.Errorf("user is %q", user)
					}
					if _, done, err := e.s.Next([]byte(rfcBearer)); done || !errors.Is(err, sasl.ErrMalformed) {
						t.Errorf("Next after the end = %v, %v", done, err)
					}
				}
			}
		})
	}
}

func TestBearerServerPassesOn(t *testing.T) {
	t.Parallel()
	var got sasl.Bearer
	s := sasl.NewOAuthBearerServer(func(b sasl.Bearer) (string, error) { got = b; return "other", nil })
	if _, done, err := s.Next([]byte(rfcBearer)); !done || err != nil {
		t.Fatal(done, err)
	}
	want := sasl.Bearer{User: "user@example.com", Token: rfcToken, Host: "server.example.com", Port: 143}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if authz, user := s.Names(); authz != "user@example.com" || user != "other" {
		t.Errorf("names %q, %q", authz, user)
	}
	broken := errors.New("the directory is away")
	s = sasl.NewOAuthBearerServer(func(sasl.Bearer) (string, error) { return "", broken })
	if challenge, done, err := s.Next([]byte(rfcBearer)); challenge != nil || done || !errors.Is(err, broken) {
		t.Errorf("Next = %q, %v, %v; want the error of the check", challenge, done, err)
	}
}

// go-sasl has OAUTHBEARER only.
func TestBearerAgainstGoSASL(t *testing.T) {
	t.Parallel()
	for _, token := range []string{rfcToken, "wrong"} {
		right := token == rfcToken
		b := sasl.Bearer{User: "user@example.com", Token: token, Host: "server.example.com", Port: 143}
		theirs := gosasl.NewOAuthBearerServer(func(o gosasl.OAuthBearerOptions) *gosasl.OAuthBearerError {
			if o.Username != b.User || o.Host != b.Host || o.Port != b.Port || o.Token != rfcToken {
				return &gosasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
			}
			return nil
		})
		ours := sasl.NewOAuthBearerClient(b)
		if err := talk(ours, theirs); (err == nil) != right || (ours.Refused() == nil) != right {
			t.Errorf("our client, go-sasl's server, token %q: %v, %v", token, err, ours.Refused())
		}
		client := gosasl.NewOAuthBearerClient(&gosasl.OAuthBearerOptions{Username: b.User, Token: token, Host: b.Host, Port: b.Port})
		if err := talk(client, sasl.NewOAuthBearerServer(checkRFC)); (err == nil) != right {
			t.Errorf("go-sasl's client, our server, token %q: %v", token, err)
		}
	}
	for _, token := range []string{rfcToken, "wrong"} {
		err := talk(sasl.NewXOAuth2Client(sasl.Bearer{User: "user@example.com", Token: token}), sasl.NewXOAuth2Server(checkRFC))
		if (err == nil) != (token == rfcToken) {
			t.Errorf("XOAUTH2, both ends ours, token %q: %v", token, err)
		}
	}
}
