package sasl_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/postamt/postamt/sasl"
)

// RFC 2195 §2.
const (
	cramChallenge = "<1896.697170952@postoffice.reston.mci.net>"
	cramAnswer    = "tim b913a602c7eda7a495b4e6e7334d3890"
)

func secretOfTim(user string) ([]byte, error) {
	switch user {
	case "tim", "tim of the hill":
		return []byte("tanstaaftanstaaf"), nil
	case "empty":
		return nil, nil
	}
	return nil, sasl.ErrCredentials
}

func TestCRAMMD5Vector(t *testing.T) {
	t.Parallel()
	s := sasl.NewCRAMMD5Server(cramChallenge, secretOfTim)
	next(t, s, nil, cramChallenge, false)
	next(t, s, []byte(cramAnswer), "", true)
	if _, user := s.Names(); user != "tim" {
		t.Errorf("user is %q", user)
	}

	c := sasl.NewCRAMMD5Client("tim", "tanstaaftanstaaf")
	if mech, ir, err := c.Start(); mech != "CRAM-MD5" || ir != nil || err != nil {
		t.Errorf("Start() = %q, %q, %v", mech, ir, err)
	}
	resp, err := c.Next([]byte(cramChallenge))
	if got := sasl.EncodeBase64(resp); got != "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw" || err != nil {
		t.Errorf("Next = %q, %v", got, err)
	}
	if _, err := c.Next([]byte(cramChallenge)); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("second challenge: %v", err)
	}
}

func TestCRAMMD5Server(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, msg string
		want      error
	}{
		{"name with spaces", "tim of the hill b913a602c7eda7a495b4e6e7334d3890", nil},
		{"wrong digest", "tim b913a602c7eda7a495b4e6e7334d3891", sasl.ErrCredentials},
		{"unknown user", "tom b913a602c7eda7a495b4e6e7334d3890", sasl.ErrCredentials},
		// HMAC-MD5 of the challenge with an empty key: a user without a secret cannot come in with it.
		{"user without secret", "empty a00b54b824afa19ec2de0f73cb2a04c2", sasl.ErrCredentials},
		{"upper case", "tim B913A602C7EDA7A495B4E6E7334D3890", sasl.ErrMalformed},
		{"31 digits", "tim b913a602c7eda7a495b4e6e7334d389", sasl.ErrMalformed},
		{"33 digits", "tim b913a602c7eda7a495b4e6e7334d38900", sasl.ErrMalformed},
		{"no digit", "tim g913a602c7eda7a495b4e6e7334d3890", sasl.ErrMalformed},
		{"no user", " b913a602c7eda7a495b4e6e7334d3890", sasl.ErrMalformed},
		{"no space", "timb913a602c7eda7a495b4e6e7334d3890", sasl.ErrMalformed},
		{"space at the end", cramAnswer + " ", sasl.ErrMalformed},
		{"empty", "", sasl.ErrMalformed},
		{"too long", strings.Repeat("x", sasl.MaxMessage), sasl.ErrMalformed},
		{"name too long", strings.Repeat("x", sasl.MaxName+1) + " b913a602c7eda7a495b4e6e7334d3890", sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sasl.NewCRAMMD5Server(cramChallenge, secretOfTim)
			next(t, s, nil, cramChallenge, false)
			_, done, err := s.Next([]byte(tt.msg))
			if done != (tt.want == nil) || !errors.Is(err, tt.want) {
				t.Errorf("Next = %v, %v; want %v", done, err, tt.want)
			}
			if _, done, err := s.Next([]byte(cramAnswer)); done || !errors.Is(err, sasl.ErrMalformed) {
				t.Errorf("Next after the end = %v, %v", done, err)
			}
		})
	}
}

func TestCRAMMD5ServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	s := sasl.NewCRAMMD5Server(cramChallenge, secretOfTim)
	if _, _, err := s.Next([]byte{}); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("initial response: %v, want ErrMalformed", err)
	}
}

// A fault of the system is not a wrong password.
func TestCRAMMD5LookupFault(t *testing.T) {
	t.Parallel()
	fault := errors.New("disk on fire")
	s := sasl.NewCRAMMD5Server(cramChallenge, func(string) ([]byte, error) { return nil, fault })
	next(t, s, nil, cramChallenge, false)
	if _, _, err := s.Next([]byte(cramAnswer)); !errors.Is(err, fault) || errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("Next: %v, want the lookup's error", err)
	}
}

func TestCRAMMD5ClientBounds(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"", strings.Repeat("x", sasl.MaxMessage+1)} {
		c := sasl.NewCRAMMD5Client("tim", "tanstaaftanstaaf")
		if resp, err := c.Next([]byte(challenge)); resp != nil || !errors.Is(err, sasl.ErrMalformed) {
			t.Errorf("challenge of %d octets: %v, want ErrMalformed", len(challenge), err)
		}
	}
	if _, _, err := sasl.NewCRAMMD5Client("", "x").Start(); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("Start without user: %v", err)
	}
}

func TestNewChallenge(t *testing.T) {
	t.Parallel()
	msgID := regexp.MustCompile(`^<[A-Z2-7]{26}@mail\.example>$`)
	seen := map[string]bool{}
	for range 1000 {
		c := sasl.NewChallenge("mail.example")
		if !msgID.MatchString(c) || seen[c] {
			t.Fatalf("NewChallenge = %q, seen before: %v", c, seen[c])
		}
		seen[c] = true
	}
}

// RFC 1939 §7, APOP.
func TestAPOPVector(t *testing.T) {
	t.Parallel()
	const timestamp, digest = "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"
	if got := sasl.APOPDigest(timestamp, []byte("tanstaaf")); got != digest {
		t.Errorf("APOPDigest = %q, want %q", got, digest)
	}
	for _, tt := range []struct {
		name, timestamp, secret, digest string
		want                            error
	}{
		{"right", timestamp, "tanstaaf", digest, nil},
		{"other greeting", "<1897.697170952@dbc.mtview.ca.us>", "tanstaaf", digest, sasl.ErrCredentials},
		{"other secret", timestamp, "tanstaaf ", digest, sasl.ErrCredentials},
		{"no secret", timestamp, "", sasl.APOPDigest(timestamp, nil), sasl.ErrCredentials},
		{"upper case", timestamp, "tanstaaf", strings.ToUpper(digest), sasl.ErrMalformed},
		{"31 digits", timestamp, "tanstaaf", digest[1:], sasl.ErrMalformed},
		{"33 digits", timestamp, "tanstaaf", digest + "0", sasl.ErrMalformed},
		{"no digit", timestamp, "tanstaaf", "g" + digest[1:], sasl.ErrMalformed},
		{"empty", timestamp, "tanstaaf", "", sasl.ErrMalformed},
	} {
		if err := sasl.CheckAPOP(tt.timestamp, []byte(tt.secret), tt.digest); !errors.Is(err, tt.want) {
			t.Errorf("%s: CheckAPOP = %v, want %v", tt.name, err, tt.want)
		}
	}
}
