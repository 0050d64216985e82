package sasl_test

import (
	"errors"
	"strings"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	"github.com/postamt/postamt/sasl"
)

func checkTimLogin(user, pass string) error { return checkTim("", user, pass) }

func TestLoginServer(t *testing.T) {
	t.Parallel()
	s := sasl.NewLoginServer(checkTimLogin)
	next(t, s, nil, "Username:", false)
	next(t, s, []byte("tim"), "Password:", false)
	next(t, s, []byte("tanstaaftanstaaf"), "", true)
	if authz, user := s.Names(); authz != "" || user != "tim" {
		t.Errorf("Names() = %q, %q", authz, user)
	}
	if _, done, err := s.Next([]byte("tanstaaftanstaaf")); done || !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Next after the end = %v, %v", done, err)
	}
}

func TestLoginServerRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, user, pass string
		want             error
	}{
		{"wrong password", "tim", "tanstaaf", sasl.ErrCredentials},
		{"unknown user", "tom", "tanstaaftanstaaf", sasl.ErrCredentials},
		{"no user", "", "tanstaaftanstaaf", sasl.ErrMalformed},
		{"no password", "tim", "", sasl.ErrMalformed},
		{"user too long", strings.Repeat("x", sasl.MaxName+1), "x", sasl.ErrMalformed},
		{"password too long", "tim", strings.Repeat("x", sasl.MaxSecret+1), sasl.ErrMalformed},
		{"control character", "tim", "a\x00b", sasl.ErrMalformed},
		{"not UTF-8", "\xff", "x", sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sasl.NewLoginServer(checkTimLogin)
			next(t, s, nil, "Username:", false)
			_, done, err := s.Next([]byte(tt.user))
			if err == nil {
				_, done, err = s.Next([]byte(tt.pass))
			}
			if done || !errors.Is(err, tt.want) {
				t.Errorf("end of the exchange: %v, %v; want %v", done, err, tt.want)
			}
			if _, done, err := s.Next([]byte("tanstaaftanstaaf")); done || err == nil {
				t.Error("exchange goes on after its end")
			}
		})
	}
}

func TestLoginClient(t *testing.T) {
	t.Parallel()
	c := sasl.NewLoginClient("tim", "tanstaaftanstaaf")
	mech, ir, err := c.Start()
	if mech != "LOGIN" || ir != nil || err != nil {
		t.Fatalf("Start() = %q, %q, %v", mech, ir, err)
	}
	// What servers ask differs, so the order counts.
	for i, challenge := range []string{"User Name\x00", "Password\x00"} {
		resp, err := c.Next([]byte(challenge))
		if want := []string{"tim", "tanstaaftanstaaf"}[i]; string(resp) != want || err != nil {
			t.Errorf("Next(%q) = %q, %v; want %q", challenge, resp, err, want)
		}
	}
	if resp, err := c.Next([]byte("Password:")); resp != nil || !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Next for the third time = %q, %v", resp, err)
	}
	if _, _, err := sasl.NewLoginClient("tim", "").Start(); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Start without password: %v", err)
	}
}

func TestLoginAgainstGoSASL(t *testing.T) {
	t.Parallel()
	// go-sasl's client sends the name as initial response, ours waits.
	if err := talk(gosasl.NewLoginClient("tim", "tanstaaftanstaaf"), sasl.NewLoginServer(checkTimLogin)); err != nil {
		t.Errorf("go-sasl's client, our server: %v", err)
	}
	if err := talk(sasl.NewLoginClient("tim", "tanstaaftanstaaf"), sasl.NewLoginServer(checkTimLogin)); err != nil {
		t.Errorf("our client, our server: %v", err)
	}
	if err := talk(gosasl.NewLoginClient("tim", "wrong"), sasl.NewLoginServer(checkTimLogin)); !errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("go-sasl's client with the wrong password: %v", err)
	}
}
