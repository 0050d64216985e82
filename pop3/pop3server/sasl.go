package pop3server

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/sasl"
)

// A mechanism is a SASL mechanism that this connection offers.
type mechanism struct {
	name        string
	clientFirst bool
	// begin starts an exchange. done ends it: it gets the exchange's error and returns who signed in.
	begin func() (srv sasl.Server, done func(error) (user string, id Identity, err error))
}

// mechanisms returns what AUTH can be used with now, the best first.
func (c *Conn) mechanisms() []mechanism {
	var all []mechanism
	if c.auth.SCRAM != nil && c.allowed(false) {
		plus := len(c.channelBindings()) > 0
		for _, h := range []sasl.ScramHash{sasl.SHA256, sasl.SHA1} {
			if plus {
				all = append(all, c.scram(h, true, plus))
			}
			all = append(all, c.scram(h, false, plus))
		}
	}
	for _, m := range c.auth.SASL {
		if c.allowed(m.Plaintext) {
			all = append(all, c.foreign(m))
		}
	}
	if c.auth.Secret != nil && c.s.opt.CRAMMD5 && c.allowed(false) {
		all = append(all, c.cramMD5())
	}
	if c.auth.Password != nil && c.allowed(true) {
		all = append(all, c.plain(), c.login())
	}
	return all
}

// needsTLS reports whether name is a mechanism that would be offered with TLS.
func (c *Conn) needsTLS(name string) bool {
	if c.secure() {
		return false
	}
	switch name {
	case sasl.Plain, sasl.Login:
		return c.auth.Password != nil
	case sasl.ScramSHA256, sasl.ScramSHA1, sasl.ScramSHA256Plus, sasl.ScramSHA1Plus:
		return c.auth.SCRAM != nil
	case sasl.CRAMMD5:
		return c.auth.Secret != nil && c.s.opt.CRAMMD5
	}
	for _, m := range c.auth.SASL {
		if strings.EqualFold(m.Name, name) {
			return true
		}
	}
	return false
}

func (c *Conn) plain() mechanism {
	return mechanism{sasl.Plain, true, func() (sasl.Server, func(error) (string, Identity, error)) {
		var id Identity
		srv := sasl.NewPlainServer(func(authz, user, pass string) (err error) {
			ctx, cancel := c.backend()
			defer cancel()
			id, err = c.auth.Password(ctx, sasl.Plain, authz, user, pass)
			return err
		})
		return srv, func(err error) (string, Identity, error) {
			_, user := srv.Names()
			return user, id, err
		}
	}}
}

// login says that the client speaks first, for some clients send the name with the command.
func (c *Conn) login() mechanism {
	return mechanism{sasl.Login, true, func() (sasl.Server, func(error) (string, Identity, error)) {
		var id Identity
		srv := sasl.NewLoginServer(func(user, pass string) (err error) {
			ctx, cancel := c.backend()
			defer cancel()
			id, err = c.auth.Password(ctx, sasl.Login, "", user, pass)
			return err
		})
		return srv, func(err error) (string, Identity, error) {
			_, user := srv.Names()
			return user, id, err
		}
	}}
}

func (c *Conn) cramMD5() mechanism {
	return mechanism{sasl.CRAMMD5, false, func() (sasl.Server, func(error) (string, Identity, error)) {
		var id Identity
		asked := false
		srv := sasl.NewCRAMMD5Server(sasl.NewChallenge(c.s.opt.Hostname), func(user string) (secret []byte, err error) {
			asked = true
			ctx, cancel := c.backend()
			defer cancel()
			secret, id, err = c.auth.Secret(ctx, sasl.CRAMMD5, user)
			return secret, err
		})
		return srv, func(err error) (string, Identity, error) {
			_, user := srv.Names()
			if asked {
				err = c.heard(sasl.CRAMMD5, user, err)
			}
			return user, id, err
		}
	}}
}

// scram makes the form of SCRAM with channel binding or without. offered says that the one with it is offered.
func (c *Conn) scram(hash sasl.ScramHash, plus, offered bool) mechanism {
	name := hash.Mechanism(plus)
	return mechanism{name, true, func() (sasl.Server, func(error) (string, Identity, error)) {
		var id Identity
		asked := false
		opt := sasl.ScramServerOptions{
			PlusOffered: offered,
			Lookup: func(authz, user string) (cred sasl.ScramCredentials, err error) {
				asked = true
				ctx, cancel := c.backend()
				defer cancel()
				cred, id, err = c.auth.SCRAM(ctx, name, authz, user)
				return cred, err
			},
		}
		if plus {
			opt.Bindings = c.channelBindings()
		}
		srv := &proven{ScramServer: sasl.NewScramServer(hash, opt)}
		srv.hear = func() error {
			_, user := srv.Names()
			return c.heard(name, user, nil)
		}
		return srv, func(err error) (string, Identity, error) {
			_, user := srv.Names()
			if asked && !srv.heard {
				err = c.heard(name, user, err)
			}
			return user, id, err
		}
	}}
}

// A proven is a SCRAM server whose success is heard of before the client is shown our proof: whoever gets that has the
// right password (RFC 5802 §3), and must not learn it if the backend refuses.
type proven struct {
	*sasl.ScramServer
	hear  func() error
	heard bool
}

// Next implements sasl.Server.
func (p *proven) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = p.ScramServer.Next(response)
	if done && err == nil {
		p.heard = true
		if err = p.hear(); err != nil {
			return nil, false, err
		}
	}
	return challenge, done, err
}

// foreign makes a mechanism of the backend's own.
func (c *Conn) foreign(m Mechanism) mechanism {
	return mechanism{strings.ToUpper(m.Name), m.ClientFirst, func() (sasl.Server, func(error) (string, Identity, error)) {
		srv := m.New()
		return srv, func(err error) (string, Identity, error) {
			if err != nil {
				return "", Identity{}, err
			}
			id := m.Identify(srv)
			return id.User, id, nil
		}
	}}
}

// maxRounds bounds the challenges of one exchange.
const maxRounds = 20

// exchange runs srv against the client (RFC 5034 §4). ir is the initial response, nil if there was none.
func (c *Conn) exchange(srv sasl.Server, ir []byte) error {
	response := ir
	for range maxRounds {
		challenge, done, err := srv.Next(response)
		if err != nil {
			return err
		}
		if done && challenge == nil {
			return nil
		}
		if response, err = c.challenge(challenge); err != nil {
			return err
		}
		if done {
			// The last challenge was data that goes with success; the client takes note with an empty line.
			if len(response) > 0 {
				return sasl.ErrMalformed
			}
			return nil
		}
	}
	return errors.New("pop3server: SASL exchange does not end")
}

// challenge sends a challenge and returns the response, which is never nil.
func (c *Conn) challenge(challenge []byte) ([]byte, error) {
	_, _ = c.w.Write([]byte("+ "))
	if base64.StdEncoding.EncodedLen(len(challenge)) <= wire.BufferSize {
		b := c.w.Reserve(base64.StdEncoding.EncodedLen(len(challenge)))
		c.w.Commit(base64.StdEncoding.AppendEncode(b, challenge))
	} else {
		_, _ = c.w.Write([]byte(sasl.EncodeBase64(challenge)))
	}
	_, _ = c.w.Write([]byte("\r\n"))
	line, err := c.readLine(c.s.opt.SASLLineLimit)
	if err != nil {
		return nil, err
	}
	if string(line) == "*" {
		return nil, sasl.ErrCancelled
	}
	return sasl.DecodeBase64(line)
}
