package sasl_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/postamt/postamt/sasl"
)

// scramVector is an exchange that an RFC gives octet by octet.
type scramVector struct {
	name                                                   string
	hash                                                   sasl.ScramHash
	clientNonce, serverNonce, salt                         string
	clientFirst, serverFirst, clientFinal, serverFinal     string
	clientFirst64, serverFirst64, clientFinal64, serverF64 string
}

// scramVectors are RFC 5802 §5 and RFC 7677 §3, user "user", password "pencil".
var scramVectors = []scramVector{
	{
		name:        "RFC 5802 section 5",
		hash:        sasl.SHA1,
		clientNonce: "fyko+d2lbbFgONRv9qkxdawL",
		serverNonce: "3rfcNHYJY1ZVvWVs7j",
		salt:        "QSXCR+Q6sek8bf92",
		clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",

		clientFirst64: "biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdM",
		serverF64:     "dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9",
	},
	{
		name:        "RFC 7677 section 3",
		hash:        sasl.SHA256,
		clientNonce: "rOprNGfwEbeRWgbNEkqO",
		serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		salt:        "W22ZaJ0SNY7soEsUEjb6gQ==",
		clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",

		// What these are in base64, as they go over POP3.
		clientFirst64: "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=",
		serverFirst64: "cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY=",
		clientFinal64: "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==",
		serverF64:     "dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==",
	},
}

// server returns the vector's server, with opt for what else it needs.
func (v scramVector) server(t *testing.T, opt sasl.ScramServerOptions) *sasl.ScramServer {
	t.Helper()
	opt.Nonce = func() string { return v.serverNonce }
	opt.Lookup = func(authz, user string) (sasl.ScramCredentials, error) {
		if authz != "" && authz != "boss" || user != "user" {
			return sasl.ScramCredentials{}, fmt.Errorf("looked up %q, %q", authz, user)
		}
		salt, err := sasl.DecodeBase64([]byte(v.salt))
		if err != nil {
			return sasl.ScramCredentials{}, err
		}
		return sasl.DeriveScramCredentials(v.hash, "pencil", salt, 4096)
	}
	return sasl.NewScramServer(v.hash, opt)
}

func (v scramVector) client() *sasl.ScramClient {
	return sasl.NewScramClient(v.hash, sasl.ScramClientOptions{
		User: "user", Password: "pencil", Nonce: func() string { return v.clientNonce },
	})
}

func TestScramServerVectors(t *testing.T) {
	t.Parallel()
	for _, v := range scramVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, withIR := range []bool{true, false} {
				s := v.server(t, sasl.ScramServerOptions{})
				if !withIR {
					next(t, s, nil, "", false)
				}
				next(t, s, []byte(v.clientFirst), v.serverFirst, false)
				next(t, s, []byte(v.clientFinal), v.serverFinal, true)
				if authz, user := s.Names(); authz != "" || user != "user" {
					t.Errorf("Names() = %q, %q", authz, user)
				}
				if _, _, err := s.Next([]byte{}); !errors.Is(err, sasl.ErrMalformed) {
					t.Errorf("Next after the end: %v, want ErrMalformed", err)
				}
			}
		})
	}
}

func TestScramClientVectors(t *testing.T) {
	t.Parallel()
	for _, v := range scramVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			c := v.client()
			mech, ir, err := c.Start()
			if mech != v.hash.Mechanism(false) || string(ir) != v.clientFirst || err != nil {
				t.Fatalf("Start() = %q, %q, %v", mech, ir, err)
			}
			resp, err := c.Next([]byte(v.serverFirst))
			if string(resp) != v.clientFinal || err != nil {
				t.Fatalf("Next(server-first) = %q, %v", resp, err)
			}
			if c.Verified() {
				t.Error("Verified() before the server's proof")
			}
			resp, err = c.Next([]byte(v.serverFinal))
			if resp == nil || len(resp) != 0 || err != nil || !c.Verified() {
				t.Fatalf("Next(server-final) = %q, %v, Verified %v", resp, err, c.Verified())
			}
		})
	}
}

func TestScramVectorsOnTheWire(t *testing.T) {
	t.Parallel()
	for _, v := range scramVectors {
		for _, p := range [][2]string{
			{v.clientFirst, v.clientFirst64},
			{v.serverFirst, v.serverFirst64},
			{v.clientFinal, v.clientFinal64},
			{v.serverFinal, v.serverF64},
		} {
			if p[1] == "" {
				continue
			}
			if got := sasl.EncodeBase64([]byte(p[0])); got != p[1] {
				t.Errorf("%s: EncodeBase64 = %s, want %s", v.name, got, p[1])
			}
			if got, err := sasl.DecodeInitialResponse([]byte(p[1])); string(got) != p[0] || err != nil {
				t.Errorf("%s: DecodeInitialResponse = %q, %v", v.name, got, err)
			}
		}
	}
}

// next calls s.Next and checks what it returns.
func next(t *testing.T, s sasl.Server, response []byte, wantChallenge string, wantDone bool) {
	t.Helper()
	challenge, done, err := s.Next(response)
	if err != nil || string(challenge) != wantChallenge || done != wantDone || !wantDone && challenge == nil {
		t.Fatalf("Next(%q) = %q, %v, %v; want %q, %v", response, challenge, done, err, wantChallenge, wantDone)
	}
}
