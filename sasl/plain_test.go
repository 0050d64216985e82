package sasl_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	"github.com/postamt/postamt/sasl"
)

// tim is the user of the examples in RFC 4616 and RFC 2195.
func checkTim(authz, user, pass string) error {
	if authz != "" && authz != user || user != "tim" || pass != "tanstaaftanstaaf" {
		return fmt.Errorf("check %q: %w", user, sasl.ErrCredentials)
	}
	return nil
}

func TestPlainServer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sasl.MaxName)
	for _, tt := range []struct {
		name, msg string
		want      error
	}{
		{"RFC 4616 example 1", "\x00tim\x00tanstaaftanstaaf", nil},
		{"own name as authorization identity", "tim\x00tim\x00tanstaaftanstaaf", nil},
		{"prepared before the check", "\x00t\u00adim\x00tanstaaftansta\u00adaf", nil},
		{"RFC 4616 example 2", "Ursel\x00Kurt\x00xipj3plmq", sasl.ErrCredentials},
		{"wrong password", "\x00tim\x00tanstaaf", sasl.ErrCredentials},
		{"unknown user", "\x00tom\x00tanstaaftanstaaf", sasl.ErrCredentials},
		{"space is a part of the password", "\x00tim\x00tanstaaftanstaaf ", sasl.ErrCredentials},
		{"longest name", "\x00" + long + "\x00x", sasl.ErrCredentials},

		{"empty", "", sasl.ErrMalformed},
		{"no NUL", "tim", sasl.ErrMalformed},
		{"one NUL", "tim\x00tanstaaftanstaaf", sasl.ErrMalformed},
		{"three NULs", "\x00tim\x00tanstaaf\x00tanstaaf", sasl.ErrMalformed},
		{"no user", "\x00\x00tanstaaftanstaaf", sasl.ErrMalformed},
		{"no password", "\x00tim\x00", sasl.ErrMalformed},
		{"user of nothing", "\x00\u00ad\x00tanstaaftanstaaf", sasl.ErrMalformed},
		{"authorization identity of nothing", "\u00ad\x00tim\x00tanstaaftanstaaf", sasl.ErrMalformed},
		{"not UTF-8", "\x00tim\xff\x00tanstaaftanstaaf", sasl.ErrMalformed},
		{"name too long", "\x00" + long + "x\x00x", sasl.ErrMalformed},
		{"authorization identity too long", long + "x\x00tim\x00x", sasl.ErrMalformed},
		{"password too long", "\x00tim\x00" + strings.Repeat("x", sasl.MaxSecret+1), sasl.ErrMalformed},
		{"message too long", strings.Repeat("\x00", sasl.MaxMessage+1), sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, withIR := range []bool{true, false} {
				s := sasl.NewPlainServer(checkTim)
				if !withIR {
					next(t, s, nil, "", false)
				}
				challenge, done, err := s.Next([]byte(tt.msg))
				if challenge != nil || done != (tt.want == nil) || !errors.Is(err, tt.want) {
					t.Fatalf("Next = %q, %v, %v; want %v", challenge, done, err, tt.want)
				}
				if _, user := s.Names(); tt.want == nil && user != "tim" {
					t.Errorf("user is %q", user)
				}
				if _, done, err := s.Next([]byte("\x00tim\x00tanstaaftanstaaf")); done || !errors.Is(err, sasl.ErrMalformed) {
					t.Errorf("Next after the end = %v, %v", done, err)
				}
			}
		})
	}
}

// An initial response that is there and empty is a message, not a request for the challenge (RFC 5034 §4).
func TestPlainServerEmptyInitialResponse(t *testing.T) {
	t.Parallel()
	if _, done, err := sasl.NewPlainServer(checkTim).Next([]byte{}); done || !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Next(empty) = %v, %v; want ErrMalformed", done, err)
	}
}

func TestPlainClient(t *testing.T) {
	t.Parallel()
	c := sasl.NewPlainClient("", "tim", "tanstaaftanstaaf")
	mech, ir, err := c.Start()
	if mech != "PLAIN" || sasl.EncodeBase64(ir) != "AHRpbQB0YW5zdGFhZnRhbnN0YWFm" || err != nil {
		t.Errorf("Start() = %q, %q, %v", mech, ir, err)
	}
	if _, err := c.Next(nil); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Next after the message: %v", err)
	}
	for _, bad := range [][3]string{
		{"", "", "x"},
		{"", "tim", ""},
		{"", "t\x00m", "x"},
		{"", "tim", "x\x00y"},
		{"a\x00b", "tim", "x"},
		{"", "tim\xff", "x"},
		{"", strings.Repeat("x", sasl.MaxName+1), "x"},
	} {
		if _, ir, err := sasl.NewPlainClient(bad[0], bad[1], bad[2]).Start(); ir != nil || !errors.Is(err, sasl.ErrMalformed) {
			t.Errorf("Start of %.20q = %q, %v; want ErrMalformed", bad, ir, err)
		}
	}
}

func TestPlainAgainstGoSASL(t *testing.T) {
	t.Parallel()
	for _, pass := range []string{"tanstaaftanstaaf", "wrong"} {
		right := pass == "tanstaaftanstaaf"
		if err := talk(gosasl.NewPlainClient("", "tim", pass), sasl.NewPlainServer(checkTim)); (err == nil) != right {
			t.Errorf("go-sasl's client, our server, password %q: %v", pass, err)
		}
		if err := talk(sasl.NewPlainClient("", "tim", pass), gosasl.NewPlainServer(checkTim)); (err == nil) != right {
			t.Errorf("our client, go-sasl's server, password %q: %v", pass, err)
		}
	}
}

// talk runs an exchange as a protocol with initial responses and without data on success does.
func talk(c sasl.Client, s sasl.Server) error {
	_, resp, err := c.Start()
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	for range 10 {
		challenge, done, err := s.Next(resp)
		if err != nil {
			return fmt.Errorf("server: %w", err)
		}
		if done && challenge == nil {
			if m, ok := c.(sasl.MutualClient); ok && !m.Verified() {
				return errors.New("client: success without the server's proof")
			}
			return nil
		}
		if resp, err = c.Next(challenge); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		if done {
			if len(resp) != 0 {
				return errors.New("client: more to say after the server's last message")
			}
			return nil
		}
	}
	return errors.New("exchange without an end")
}
