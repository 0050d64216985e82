package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// errBinding: the server refused a sign-in with channel binding before it could have looked at a password. Most likely it
// knows no binding that fits this version of TLS.
var errBinding = errors.New("the server turned the channel binding down")

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
	// CRAM-MD5 is not worth it.
	usable := slices.DeleteFunc(slices.Clone(offered), func(m string) bool { return strings.EqualFold(m, sasl.CRAMMD5) })
	var binding *sasl.ChannelBinding
	if !c.opt.unbound {
		binding = sasl.ClientBinding(c.tls)
	}
	// A Unix socket leads to this machine only.
	mech := sasl.SelectMechanism(usable, sasl.SelectOptions{TLS: c.secure, Binding: binding != nil, AllowPlaintext: c.opt.network() == "unix"})
	if mech == "" {
		return nil, ErrNoMechanism
	}
	password, err := c.opt.Password(ctx)
	if err != nil {
		return nil, &PasswordError{err}
	}
	return sasl.NewClient(mech, sasl.ClientOptions{User: c.opt.User, Password: password, Offered: offered, Binding: binding})
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
	for round := range maxRounds {
		r, err := c.exchange(334, line, "AUTH "+mech)
		if r.code == 235 {
			if m, ok := client.(sasl.MutualClient); ok && !m.Verified() {
				return sasl.ErrServerProof
			}
			return nil
		}
		var refused *ReplyError
		if round == 0 && sasl.BindsChannel(mech) && errors.As(err, &refused) && refused.Code != 421 {
			return fmt.Errorf("%w: %w", errBinding, err)
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
