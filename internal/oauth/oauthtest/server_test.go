package oauthtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// post asks for something, and returns the status and the JSON.
func post(t *testing.T, address string, form ...string) (int, map[string]any) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.PostForm(address, values)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	_ = json.Unmarshal(text, &said) // revocation says nothing
	return resp.StatusCode, said
}

// refresh uses a refresh token, and returns both new ones, or the error.
func refresh(t *testing.T, s *oauthtest.Server, token string) (access, next, code string) {
	t.Helper()
	_, said := post(t, s.URL+"/token", "grant_type", "refresh_token", "refresh_token", token, "client_id", oauthtest.ClientID)
	access, _ = said["access_token"].(string)
	next, _ = said["refresh_token"].(string)
	code, _ = said["error"].(string)
	return access, next, code
}

// The server is as strict as it says: otherwise the tests of the client would prove little.
func TestReuseEndsAll(t *testing.T) {
	t.Parallel()
	s := oauthtest.New(t, oauthtest.Options{})
	_, first := s.Grant("mail")
	access, second, code := refresh(t, s, first)
	if code != "" || !s.Active(access) || second == first {
		t.Fatalf("first use: %q", code)
	}
	if _, _, code := refresh(t, s, first); code != "invalid_grant" {
		t.Errorf("second use of the first: %q", code)
	}
	if _, _, code := refresh(t, s, second); code != "invalid_grant" || s.Active(access) {
		t.Errorf("its successor, after that: %q, %v", code, s.Active(access))
	}
}

func TestGrace(t *testing.T) {
	t.Parallel()
	s := oauthtest.New(t, oauthtest.Options{Grace: true})
	_, first := s.Grant("mail")
	_, lost, _ := refresh(t, s, first)
	access, _, code := refresh(t, s, first)
	if code != "" {
		t.Errorf("used again, its successor was not: %q", code)
	}
	if _, _, code := refresh(t, s, lost); code != "invalid_grant" {
		t.Errorf("the lost one: %q", code)
	}
	s.Active(access) // a mail server asks: it has arrived
	if _, _, code := refresh(t, s, first); code != "invalid_grant" {
		t.Errorf("used again after its successor was: %q", code)
	}
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	for _, opaque := range []bool{true, false} {
		now := time.Now()
		s := oauthtest.New(t, oauthtest.Options{Opaque: opaque, Now: func() time.Time { return now }})
		token, second := s.Grant("mail")
		if opaque == (len(token) > 255) {
			t.Errorf("a token of %d octets", len(token))
		}
		active := func(token string) any {
			_, said := post(t, s.URL+"/introspect", "token", token)
			return said["active"]
		}
		if active(token) != true || active(token+"x") != false || active("") != false {
			t.Error("introspection")
		}
		post(t, s.URL+"/revoke", "token", token, "client_id", oauthtest.ClientID)
		if active(token) != false {
			t.Error("good after it was revoked")
		}
		token, second, _ = refresh(t, s, second)
		now = now.Add(59 * time.Minute)
		if active(token) != true {
			t.Error("ended too early")
		}
		now = now.Add(time.Minute)
		if active(token) != false {
			t.Error("good after its end")
		}
		post(t, s.URL+"/revoke", "token", second, "client_id", oauthtest.ClientID)
		if _, _, code := refresh(t, s, second); code != "invalid_grant" {
			t.Error("renewed after all was revoked")
		}
	}
}

func TestClientsAndCodes(t *testing.T) {
	t.Parallel()
	s := oauthtest.New(t, oauthtest.Options{})
	for _, form := range [][]string{
		{"grant_type", "refresh_token", "client_id", "another"},
		{"grant_type", "refresh_token", "client_id", oauthtest.ClientID, "client_secret", "wrong"},
		{"grant_type", "client_credentials", "client_id", oauthtest.ClientID},
	} {
		if status, said := post(t, s.URL+"/token", form...); status != 401 || said["error"] != "invalid_client" {
			t.Errorf("%q: %d %v", form, status, said)
		}
	}
	if status, said := post(t, s.URL+"/token", "grant_type", "password", "client_id", oauthtest.ClientID); status != 400 || said["error"] != "unsupported_grant_type" {
		t.Errorf("%d %v", status, said)
	}
	if got := s.Refused(); len(got) != 4 || !strings.HasPrefix(got[3], "unsupported_grant_type") {
		t.Errorf("refused %q", got)
	}
	for _, query := range []string{
		"client_id=postamt-test&redirect_uri=https://evil.example",
		"client_id=another&redirect_uri=http://127.0.0.1",
		"client_id=postamt-test&redirect_uri=http://127.0.0.1&response_type=code&state=0123456789abcdef",
	} {
		resp, err := http.Get(s.URL + "/authorize?" + query)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s: %d", query, resp.StatusCode)
		}
	}
}
