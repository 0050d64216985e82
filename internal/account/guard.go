package account

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/postamt/postamt/sasl"
)

// GuardOptions say how a Guard treats those who come. The zero value is right.
type GuardOptions struct {
	// Throttle slows guessing down.
	Throttle ThrottleOptions
	// Remember is how long a verified password is remembered, so that clients that poll do not cost a hash each time.
	// Zero means 10 minutes; negative means never. A password that is changed counts at once all the same.
	Remember time.Duration
	// Remembered is how many verified passwords are remembered at most; each takes some 70 octets. Only those who know a
	// password can fill that. Zero means 1,048,576. Of wrong ones, which strangers can fill, it is at most 65,536.
	Remembered int
	// SecretOnly refuses a password in the clear for an account whose secret is kept for APOP and CRAM-MD5, with TLS or
	// without: what proves knowledge without showing it shall not be shown another time (RFC 1939 §13).
	SecretOnly bool
	// Hashed is called each time that a password was checked the expensive way, which leaves the memory of a hash behind.
	// It must not block. Nil means that nobody wants to know.
	Hashed func()
	// Log hears of what did not work and does no harm. Nil means nobody.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// A Guard is the SignIn of the accounts in a SQLDirectory. Its methods may be called concurrently. A sign-in whose
// password is remembered costs a query or two; else it costs an argon2id hash more, whether the account exists or not.
type Guard struct {
	dir      *SQLDirectory
	now      func() time.Time
	start    time.Time
	log      *slog.Logger
	hashed   func()
	secrets  bool // SecretOnly
	throttle *throttle
	memory   *memory
	recorder *recorder
}

var _ SignIn = (*Guard)(nil)

// NewGuard returns a Guard over dir. Close must be called at the end, before the catalog is closed.
func NewGuard(dir *SQLDirectory, opt GuardOptions) *Guard {
	if opt.Remember == 0 {
		opt.Remember = 10 * time.Minute
	}
	if opt.Remembered <= 0 {
		opt.Remembered = 1 << 20
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Hashed == nil {
		opt.Hashed = func() {}
	}
	start := opt.Now()
	return &Guard{
		dir: dir, now: opt.Now, start: start, log: opt.Log, hashed: opt.Hashed, secrets: opt.SecretOnly,
		throttle: newThrottle(opt.Throttle, start),
		memory:   newMemory(opt.Remember, opt.Remembered),
		recorder: newRecorder(dir.signedIn, opt.Log),
	}
}

// Close writes down what waits to be written down and ends the Guard's goroutine. Signing in still works after it.
func (g *Guard) Close() { g.recorder.close() }

// enter normalizes the name and asks the throttle. The name is empty if it cannot be one of an account.
func (g *Guard) enter(at Attempt, user string) (name string, a attempt, err error) {
	a.from = origin(at.Addr)
	if name, err = NormalizeName(user); err == nil {
		a.name = g.dir.canonical(name)
	}
	return name, a, g.throttle.admit(g.now(), a)
}

// account returns the account that name means, if it may be signed in to over this connection and authz is allowed for it:
// everybody may act as themselves only. For others it returns no error and a zero row.
func (g *Guard) account(ctx context.Context, at Attempt, name, authz string) (row, error) {
	if name == "" {
		return row{}, nil
	}
	r, err := g.dir.find(ctx, g.dir.candidates(name, false))
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return row{}, err
	}
	if r.RequireTLS && !at.TLS {
		return row{}, nil
	}
	if authz != "" {
		if authz, err = NormalizeName(authz); err != nil || authz != name && authz != r.Name {
			return row{}, nil
		}
	}
	return r, nil
}

// Password implements SignIn.
func (g *Guard) Password(ctx context.Context, at Attempt, authz, user, password string) (Account, error) {
	name, a, err := g.enter(at, user)
	if err != nil {
		return Account{}, err
	}
	r, err := g.account(ctx, at, name, authz)
	if g.secrets && r.hasSecret {
		r = row{} // the same work and the same answer as for a stranger
	}
	if err != nil {
		return g.end(r.Account, a, err)
	}
	bad, err := g.check(ctx, a, r, givenPassword(password))
	wrong := errors.Is(err, sasl.ErrCredentials)
	account, err := g.end(r.Account, a, err)
	if wrong && errors.Is(err, sasl.ErrCredentials) { // and counted
		g.memory.bad.remember(g.elapsed(), bad)
	}
	return account, err
}

// errWrongAgain: the same address tried the same wrong password before.
var errWrongAgain = errors.New("account: the same wrong password again")

// check returns nil if password is r's, sasl.ErrCredentials or errWrongAgain if not, and by what to remember it then.
func (g *Guard) check(ctx context.Context, a attempt, r row, password string) (bad digest, err error) {
	good := g.memory.goodDigest(r.ID, r.version, password)
	if g.memory.good.holds(g.elapsed(), good) {
		return digest{}, nil
	}
	bad = g.memory.badDigest(a, r.ID, r.version, password)
	if g.memory.bad.holds(g.elapsed(), bad) {
		return bad, errWrongAgain
	}
	ok, stale, err := g.dir.hasher.check(ctx, r.argon2id, password)
	g.hashed()
	switch {
	case err != nil:
		return bad, err
	case !ok:
		return bad, sasl.ErrCredentials
	}
	g.memory.good.remember(g.elapsed(), good)
	if stale || g.dir.stale(r) {
		if err := g.dir.refresh(ctx, r, password); err != nil {
			g.log.Warn("could not hash a password anew", "account", r.ID, "err", err)
		}
	}
	return bad, nil
}

// elapsed is the time since the Guard was made, by a clock that cannot be set.
func (g *Guard) elapsed() time.Duration { return g.now().Sub(g.start) }

// end tells the throttle how an attempt to sign in to account ended and returns what the caller hears.
func (g *Guard) end(account Account, a attempt, err error) (Account, error) {
	now := g.now()
	switch {
	case errors.Is(err, errWrongAgain):
		g.throttle.cancelled(now, a)
		return Account{}, sasl.ErrCredentials
	case errors.Is(err, sasl.ErrCredentials):
		if late := g.throttle.failed(now, a); late != nil {
			err = late
		}
		return Account{}, err
	case err != nil:
		g.throttle.cancelled(now, a)
		return Account{}, err
	}
	if late := g.throttle.late(now, a); late != nil {
		return Account{}, late
	}
	if account.Disabled {
		g.throttle.cancelled(now, a)
		return Account{}, ErrDisabled
	}
	g.throttle.succeeded(now, a)
	g.recorder.note(account, now)
	return account, nil
}

// Scram implements SignIn.
func (g *Guard) Scram(ctx context.Context, at Attempt, authz, user, hash string) (sasl.ScramCredentials, Account, error) {
	h := sasl.SHA256
	if hash == "SHA-1" {
		h = sasl.SHA1
	}
	name, a, err := g.enter(at, user)
	if err != nil {
		return sasl.ScramCredentials{}, Account{}, err
	}
	r, err := g.account(ctx, at, name, authz)
	var keys sasl.ScramCredentials
	if err == nil {
		keys, err = g.dir.scramKeys(ctx, r.ID, h) // asked for a stranger, too: the same work
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return g.dir.fakeSCRAMKeys(a.name, h), Account{}, nil
	case err != nil:
		g.throttle.cancelled(g.now(), a)
		return sasl.ScramCredentials{}, Account{}, err
	}
	return keys, r.Account, nil
}

// Secret implements SignIn.
func (g *Guard) Secret(ctx context.Context, at Attempt, user string) ([]byte, Account, error) {
	name, a, err := g.enter(at, user)
	if err != nil {
		return nil, Account{}, err
	}
	r, err := g.account(ctx, at, name, "")
	var secret []byte
	if err == nil {
		secret, err = g.dir.secret(ctx, r.ID) // asked for a stranger, too: the same work
	}
	switch {
	case errors.Is(err, ErrNotFound):
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // does not fail
		return secret, Account{}, nil
	case err != nil:
		g.throttle.cancelled(g.now(), a)
		return nil, Account{}, err
	}
	return secret, r.Account, nil
}

// Result implements SignIn.
func (g *Guard) Result(ctx context.Context, at Attempt, user string, err error) error {
	if err != nil && !errors.Is(err, sasl.ErrCredentials) {
		return err // no guess; and nothing booked is given back to those who break off, or they could clear the way
	}
	a := attempt{from: origin(at.Addr)}
	name, nameErr := NormalizeName(user)
	if nameErr == nil {
		a.name = g.dir.canonical(name)
	}
	var r row
	if err == nil {
		if r, err = g.account(ctx, at, name, ""); err == nil && r.ID == 0 {
			err = sasl.ErrCredentials // removed meanwhile
		}
	}
	_, err = g.end(r.Account, a, err)
	return err
}
