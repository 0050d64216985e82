package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/sasl"
)

// maxRounds bounds the challenges of one sign-in.
const maxRounds = 20

// An AuthError says that signing in failed.
type AuthError struct{ Err error }

func (e *AuthError) Error() string { return "signing in failed: " + e.Err.Error() }

// Unwrap returns the cause, a [*ReplyError] if the server refused.
func (e *AuthError) Unwrap() error { return e.Err }

// signIn uses the best mechanism that the server offers (RFC 4954).
func (c *Conn) signIn(ctx context.Context) error {
	client, err := c.mechanism(ctx)
	if err == nil {
		err = c.auth(client)
	}
	if err != nil {
		return &AuthError{err}
	}
	return nil
}

func (c *Conn) mechanism(ctx context.Context) (sasl.Client, error) {
	offered := strings.Fields(c.ext["AUTH"])
	var usable []string // this client binds no channels, and CRAM-MD5 is not worth it
	for _, name := range []string{sasl.ScramSHA256, sasl.ScramSHA1, sasl.Plain, sasl.Login} {
		if sasl.Offers(offered, name) {
			usable = append(usable, name)
		}
	}
	// A Unix socket leads to this machine only.
	mech := sasl.SelectMechanism(usable, sasl.SelectOptions{TLS: c.secure, AllowPlaintext: c.opt.network() == "unix"})
	if mech == "" {
		return nil, errors.New("the server offers no mechanism that keeps the password secret on this connection")
	}
	password, err := c.opt.Password(ctx)
	if err != nil {
		return nil, err
	}
	switch mech {
	case sasl.ScramSHA256, sasl.ScramSHA1:
		hash := sasl.SHA256
		if mech == sasl.ScramSHA1 {
			hash = sasl.SHA1
		}
		return sasl.NewScramClient(hash, sasl.ScramClientOptions{User: c.opt.User, Password: password}), nil
	case sasl.Login:
		return sasl.NewLoginClient(c.opt.User, password), nil
	default:
		return sasl.NewPlainClient("", c.opt.User, password), nil
	}
}

func (c *Conn) auth(client sasl.Client) error {
	mech, initial, err := client.Start()
	if err != nil {
		return err
	}
	line := "AUTH " + mech
	if initial != nil {
		line += " " + sasl.EncodeInitialResponse(initial)
	}
	for range maxRounds {
		r, err := c.exchange(334, line, "AUTH "+mech)
		if r.code == 235 {
			if m, ok := client.(sasl.MutualClient); ok && !m.Verified() {
				return sasl.ErrServerProof
			}
			return nil
		}
		if err != nil {
			return err
		}
		challenge, err := sasl.DecodeBase64([]byte(strings.TrimSpace(r.lines[0])))
		if err == nil {
			var response []byte
			if response, err = client.Next(challenge); err == nil {
				line = sasl.EncodeBase64(response)
				continue
			}
		}
		_, _ = c.command(501, "*")
		return err
	}
	return fmt.Errorf("%w: challenges without end", ErrProtocol)
}
