package popd

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

// Options say what is joined. Store and SignIn are required.
type Options struct {
	Store  mailstore.Store
	SignIn account.SignIn
	// SCRAM offers the SCRAM mechanisms.
	SCRAM bool
	// Secret offers APOP and CRAM-MD5, which must be turned on in the server's Options as well.
	Secret bool
}

// A Backend serves the maildrops of a store to those whom SignIn lets in. It may be used concurrently.
type Backend struct{ opt Options }

var _ pop3server.Backend = (*Backend)(nil)

// New returns a Backend.
func New(opt Options) *Backend { return &Backend{opt} }

// Auth implements pop3server.Backend.
func (b *Backend) Auth(c *pop3server.Conn) pop3server.Auth {
	_, secure := c.TLS()
	d := &desk{b.opt.SignIn, account.Attempt{Addr: c.RemoteAddr().Addr(), TLS: secure}}
	auth := pop3server.Auth{Password: d.password}
	if b.opt.SCRAM {
		auth.SCRAM, auth.Result = d.scram, d.result
	}
	if b.opt.Secret {
		auth.Secret, auth.Result = d.secret, d.result
	}
	return auth
}

// Open implements pop3server.Backend.
func (b *Backend) Open(ctx context.Context, _ *pop3server.Conn, id pop3server.Identity) (pop3server.Maildrop, error) {
	drop, ok := id.Subject.(mailstore.DropID)
	if !ok || drop == 0 {
		return nil, fmt.Errorf("popd: %s has signed in without an account", id.User) // a bug: nobody gets a maildrop by it
	}
	d, err := b.opt.Store.Open(ctx, drop, mailstore.View{})
	if err != nil {
		return nil, reply(err)
	}
	return maildrop{d}, nil
}

// A desk signs in the client of one connection.
type desk struct {
	signIn account.SignIn
	at     account.Attempt
}

func (d *desk) attempt(mech string) account.Attempt {
	at := d.at
	at.Mech = mech
	return at
}

func (d *desk) password(ctx context.Context, mech, authz, user, password string) (pop3server.Identity, error) {
	a, err := d.signIn.Password(ctx, d.attempt(mech), authz, user, password)
	return identity(a), reply(err)
}

func (d *desk) scram(ctx context.Context, mech, authz, user string) (sasl.ScramCredentials, pop3server.Identity, error) {
	hash := "SHA-256"
	if mech == sasl.ScramSHA1 || mech == sasl.ScramSHA1Plus {
		hash = "SHA-1"
	}
	keys, a, err := d.signIn.Scram(ctx, d.attempt(mech), authz, user, hash)
	return keys, identity(a), reply(err)
}

func (d *desk) secret(ctx context.Context, mech, user string) ([]byte, pop3server.Identity, error) {
	secret, a, err := d.signIn.Secret(ctx, d.attempt(mech), user)
	if err == nil && a.ID == 0 {
		return nil, pop3server.Identity{}, pop3server.ErrCredentials // the library computes a digest all the same
	}
	return secret, identity(a), reply(err)
}

func (d *desk) result(ctx context.Context, mech, user string, err error) error {
	return reply(d.signIn.Result(ctx, d.attempt(mech), user, err))
}

// identity carries the maildrop's id to Open. For a stranger it carries none.
func identity(a account.Account) pop3server.Identity {
	if a.ID == 0 {
		return pop3server.Identity{}
	}
	return pop3server.Identity{User: a.Name, Subject: mailstore.DropID(a.ID)}
}
