package pop3client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// maxRounds bounds the challenges of one sign-in.
const maxRounds = 20

// shows reports whether a mechanism shows a secret to whoever can read the connection.
func shows(mech string) bool {
	switch mech {
	case sasl.Plain, sasl.Login, sasl.OAuthBearer, sasl.XOAuth2:
		return true
	}
	return false
}

// Auth signs in with a SASL mechanism of the caller's choice (RFC 5034). The initial response goes on the command's line if
// it fits, the server announces SASL and Options do not forbid it; else it waits for the server's first challenge.
//
// PLAIN and LOGIN are refused with ErrCleartext without verified TLS, unless Options.AllowCleartext is set; OAUTHBEARER and
// XOAUTH2 even then. LoginToken chooses between those two. If client is a sasl.MutualClient, success without the server's
// proof is ErrServerProof and ends the session.
func (c *Client) Auth(ctx context.Context, client sasl.Client) error {
	if c.signedIn {
		return fmt.Errorf("pop3client: sign in: %w: already signed in", ErrState)
	}
	_, err := c.auth(ctx, client)
	return err
}

// auth is Auth; tried reports whether the server may have looked at credentials.
func (c *Client) auth(ctx context.Context, client sasl.Client) (tried bool, err error) {
	mech, response, err := client.Start()
	if err != nil {
		return false, fmt.Errorf("pop3client: AUTH: %w", err)
	}
	if err := c.checkMechanism(mech); err != nil {
		return false, err
	}
	capa, err := c.capabilities(ctx)
	if err != nil {
		return false, err
	}
	line, shown := "AUTH "+mech, "AUTH "+mech
	if response != nil && !c.opt.NoInitialResponse && capa.Has(pop3.CapSASL) {
		encoded := sasl.EncodeInitialResponse(response)
		if len(line)+1+len(encoded)+2 <= pop3.MaxCommand {
			line, shown, response = line+" "+encoded, shown+" ****", nil
			tried = shows(mech)
		}
	}
	if err := c.begin(ctx, "AUTH"); err != nil {
		return false, err
	}
	if strings.HasSuffix(mech, "-PLUS") {
		c.bound = true
	}
	c.composeLine(line, shown)
	if err := c.flush(); err != nil {
		return tried, err
	}
	return c.exchange(client, response, tried)
}

func (c *Client) checkMechanism(mech string) error {
	ok := mech != "" && len(mech) <= 20 && !strings.ContainsFunc(mech, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	switch {
	case !ok:
		return fmt.Errorf("pop3client: AUTH: %w: %.30q is no mechanism's name (RFC 4422 §3.1)", ErrArgument, mech)
	case strings.HasSuffix(mech, "-PLUS") && c.bound:
		return fmt.Errorf("pop3client: AUTH %s: %w: another try with channel binding needs a new connection", mech, ErrState)
	case shows(mech) && !c.secure && (isToken(mech) || !c.opt.AllowCleartext):
		return fmt.Errorf("pop3client: AUTH %s: %w", mech, ErrCleartext)
	}
	return nil
}

// exchange answers challenges until the server accepts or refuses. pending is an initial response not sent yet.
func (c *Client) exchange(client sasl.Client, pending []byte, tried bool) (bool, error) {
	for range maxRounds {
		line, err := c.readLine()
		if err != nil {
			return tried, err
		}
		text, ok, notStatus := parseStatus(line)
		switch {
		case notStatus == nil && !ok:
			c.end()
			return tried, tokenRefused(client, parseError(text))
		case notStatus == nil && pending == nil:
			return true, c.accepted(client)
		case notStatus != nil && (len(line) == 0 || line[0] != '+'):
			return tried, c.protocolError(line, errNoStatus)
		}
		// A challenge. Some servers say +OK where + is meant, and some put text behind the first one.
		response := pending
		if pending == nil {
			var cancel error
			response, cancel = c.answer(client, line[1:])
			switch {
			case errors.Is(cancel, ErrServerProof): // whoever this is, it is not the server
				return true, c.fail(&pop3.ProtocolError{Op: "AUTH", Err: ErrServerProof})
			case cancel != nil:
				return true, c.cancelAuth(cancel)
			}
		}
		pending, tried = nil, true
		c.composeLine(sasl.EncodeBase64(response), "****")
		if err := c.flush(); err != nil {
			return tried, err
		}
	}
	return tried, c.protocolError(nil, errEndless)
}

const errEndless reason = "challenges without end"

// answer decodes a challenge and asks the mechanism for the response. The space in front may be missing.
func (c *Client) answer(client sasl.Client, encoded []byte) ([]byte, error) {
	challenge, err := sasl.DecodeBase64(bytes.TrimSpace(encoded))
	if err != nil {
		return nil, &pop3.ProtocolError{Op: "AUTH", Line: printable(encoded), Err: err}
	}
	response, err := client.Next(challenge)
	if err != nil {
		return nil, fmt.Errorf("pop3client: AUTH: %w", err)
	}
	return response, nil
}

// cancelAuth gives the exchange up (RFC 5034 §4) and returns why.
func (c *Client) cancelAuth(why error) error {
	c.composeLine("*", "*")
	if err := c.flush(); err != nil {
		return alsoFailed(why, err)
	}
	line, err := c.readLine()
	if err != nil {
		return alsoFailed(why, err)
	}
	if _, ok, err := parseStatus(line); err != nil || ok {
		return alsoFailed(why, c.protocolError(line, errNotCancelled))
	}
	c.end()
	return why
}

// alsoFailed joins two errors on one line.
func alsoFailed(why, also error) error { return fmt.Errorf("%w; giving up: %w", why, also) }

const errNotCancelled reason = "sign-in given up, but the server did not refuse it"

// accepted ends a successful exchange, if it was one.
func (c *Client) accepted(client sasl.Client) error {
	if mutual, ok := client.(sasl.MutualClient); ok && !mutual.Verified() {
		return c.fail(&pop3.ProtocolError{Op: "AUTH", Err: ErrServerProof})
	}
	c.end()
	c.setSignedIn()
	return c.err
}
