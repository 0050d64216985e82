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
	var usable []string // CRAM-MD5 is not worth it
	for _, name := range []string{sasl.ScramSHA256Plus, sasl.ScramSHA1Plus, sasl.ScramSHA256, sasl.ScramSHA1, sasl.Plain, sasl.Login} {
		if sasl.Offers(offered, name) {
			usable = append(usable, name)
		}
	}
	binding := c.binding()
	// A Unix socket leads to this machine only.
	mech := sasl.SelectMechanism(usable, sasl.SelectOptions{TLS: c.secure, Binding: binding != nil, AllowPlaintext: c.opt.network() == "unix"})
	if mech == "" {
		return nil, ErrNoMechanism
	}
	password, err := c.opt.Password(ctx)
	if err != nil {
		return nil, &PasswordError{err}
	}
	scram := sasl.ScramClientOptions{User: c.opt.User, Password: password}
	if bound(mech) {
		scram.Binding = binding
	} else {
		// RFC 5802 §6: the server notices if somebody took the -PLUS mechanisms off the list.
		scram.NoPlusOffered = binding != nil && !slices.ContainsFunc(offered, bound)
	}
	switch mech {
	case sasl.ScramSHA256Plus, sasl.ScramSHA256:
		return sasl.NewScramClient(sasl.SHA256, scram), nil
	case sasl.ScramSHA1Plus, sasl.ScramSHA1:
		return sasl.NewScramClient(sasl.SHA1, scram), nil
	case sasl.Login:
		return sasl.NewLoginClient(c.opt.User, password), nil
	default:
		return sasl.NewPlainClient("", c.opt.User, password), nil
	}
}

func bound(mech string) bool { return strings.HasSuffix(strings.ToUpper(mech), "-PLUS") }

// binding returns the channel binding of the connection: tls-exporter, or where TLS cannot do that, tls-server-end-point;
// nil if there is none.
func (c *Conn) binding() *sasl.ChannelBinding {
	if c.tls == nil || c.opt.unbound {
		return nil
	}
	b, err := sasl.TLSExporter(c.tls)
	if err != nil {
		b, err = sasl.TLSServerEndPoint(c.tls.PeerCertificates[0])
	}
	if err != nil {
		return nil
	}
	return &b
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
		if round == 0 && bound(mech) && errors.As(err, &refused) && refused.Code != 421 {
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
