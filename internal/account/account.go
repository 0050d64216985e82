package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/postamt/postamt/sasl"
)

// An Account is one person (or device, or program) with one maildrop.
type Account struct {
	// ID is given once and never used again. It is also the maildrop's id.
	ID int64
	// Name is what they sign in with: a local part or a whole address, case-folded. Unique.
	Name     string
	Disabled bool
	// RequireTLS: without TLS every sign-in is refused as if there were no such account, right or wrong (RFC 8314 §4.1).
	RequireTLS bool
	Created    time.Time
	// PasswordSet is when the password was last set; zero if there is none, so nobody can sign in.
	PasswordSet time.Time
	// LastSignIn is when somebody last signed in, to about an hour; zero for never.
	LastSignIn time.Time
}

// A Directory knows accounts. The one of Postamt's own is SQLDirectory; LDAP and others come in behind it later.
// Its methods may be called concurrently.
type Directory interface {
	// Lookup finds the account that a name at sign-in means. A whole address finds an account of that address; if the
	// domain is one of ours, also one of the local part; a local part also finds local@default-domain. ErrNotFound.
	Lookup(ctx context.Context, name string) (Account, error)
	// Recipient finds the account that mail for an address goes to: like Lookup, and without the part after the
	// recipient delimiter ("user+tag"). ErrNotFound.
	Recipient(ctx context.Context, address string) (Account, error)
}

// An Attempt says from where and how somebody tries to sign in.
type Attempt struct {
	Addr netip.Addr // the other end's; invalid for a local process
	Mech string     // "PASS", "APOP" or a SASL mechanism
	TLS  bool
}

// SignIn is the front of the package for counters: it checks credentials, slows guessing down per address and per
// account, bounds the memory and concurrency of password hashing, and remembers verified passwords for a while (in
// memory, under a keyed hash) so that polling clients cost little.
type SignIn interface {
	// Password checks a password. Unknown user, wrong password, no password set: sasl.ErrCredentials, after the same
	// work. Disabled, with the right password: ErrDisabled. Too many guesses: *ThrottledError.
	Password(ctx context.Context, at Attempt, authz, user, password string) (Account, error)
	// Scram returns what SCRAM needs (hash is "SHA-1" or "SHA-256"), for an unknown user stable false ones and a zero Account.
	Scram(ctx context.Context, at Attempt, authz, user, hash string) (sasl.ScramCredentials, Account, error)
	// Secret returns the secret in the clear for APOP and CRAM-MD5; for an unknown user a random one and a zero Account.
	Secret(ctx context.Context, at Attempt, user string) ([]byte, Account, error)
	// Result hears how an exchange that used Scram or Secret ended, and applies the same slowing-down and the same
	// disabled check as Password.
	Result(ctx context.Context, at Attempt, user string, err error) error
}

var (
	// ErrNotFound: there is no such account.
	ErrNotFound = errors.New("account: no such account")
	// ErrExists: an account of that name is there already.
	ErrExists = errors.New("account: account exists already")
	// ErrDisabled: the account is disabled; the credentials were right.
	ErrDisabled = errors.New("account: account is disabled")
)

// A ThrottledError says that there were too many wrong guesses; nothing was checked.
type ThrottledError struct {
	// After is how long until the next try is looked at.
	After time.Duration
}

func (e *ThrottledError) Error() string { return "account: too many failed sign-ins" }
