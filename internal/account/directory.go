package account

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/sasl"
)

// maxIterations bounds the work that one SCRAM key costs, here and at the client.
const maxIterations = 1 << 22

// SQLOptions say what a SQLDirectory's names mean and what it keeps of passwords.
type SQLOptions struct {
	// Domains are ours: an address in one of them finds an account of its local part, too. The first is the default.
	Domains []string
	// RecipientDelimiter stands between user and detail ("+"). Empty means that there is none.
	RecipientDelimiter string
	// Keep says what is kept of a password.
	Keep Keep
	// Hasher computes the hashes. Nil means one with default options.
	Hasher *Hasher
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Keep says what is kept of a password besides its argon2id hash.
type Keep struct {
	// SCRAMIterations is the work of a SCRAM key, at least 4096. Zero means 4096; negative means that no keys are kept,
	// so SCRAM cannot be used.
	SCRAMIterations int
	// Recoverable keeps the password itself, in the clear, which APOP and CRAM-MD5 cannot do without. Whoever reads the
	// catalog then has all passwords.
	Recoverable bool
}

// A SQLDirectory keeps accounts in the catalog. What it says is read from there each time, so changes by other
// processes count at once. Its methods may be called concurrently.
type SQLDirectory struct {
	db      database
	opt     SQLOptions
	hasher  *Hasher
	fakeKey []byte
}

var _ Directory = (*SQLDirectory)(nil)

// A database is the part of *catalog.DB that a directory needs.
type database interface {
	Read(ctx context.Context, fn func(context.Context, catalog.Tx) error) error
	ReadOne(ctx context.Context, fn func(context.Context, catalog.Tx) error) error
	Write(ctx context.Context, fn func(context.Context, catalog.Tx) error) error
}

// NewSQLDirectory returns the directory of the accounts in db and brings its tables up to date.
func NewSQLDirectory(ctx context.Context, db *catalog.DB, opt SQLOptions) (*SQLDirectory, error) {
	d := &SQLDirectory{db: db, opt: opt, hasher: opt.Hasher}
	d.opt.Domains = slices.Clone(opt.Domains)
	for i, domain := range opt.Domains {
		folded, err := NormalizeName("x@" + domain)
		if err != nil {
			return nil, fmt.Errorf("account: %q is not a domain", domain)
		}
		d.opt.Domains[i] = folded[len("x@"):]
	}
	if d.opt.Keep.SCRAMIterations == 0 {
		d.opt.Keep.SCRAMIterations = sasl.MinIterations
	}
	if n := d.opt.Keep.SCRAMIterations; n >= 0 && (n < sasl.MinIterations || n > maxIterations) {
		return nil, fmt.Errorf("account: %d SCRAM iterations are not between %d and %d", n, sasl.MinIterations, maxIterations)
	}
	if d.opt.Now == nil {
		d.opt.Now = time.Now
	}
	if d.hasher == nil {
		h, err := NewHasher(HasherOptions{})
		if err != nil {
			return nil, err
		}
		d.hasher = h
	}
	if err := db.Migrate(ctx, "account", migrations); err != nil {
		return nil, err
	}
	var err error
	d.fakeKey, err = d.key(ctx, "scram-fake")
	return d, err
}

// key returns a random key of the server that was made when it was first asked for.
func (d *SQLDirectory) key(ctx context.Context, name string) ([]byte, error) {
	var text string
	get := func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, sqlGetKey, name).Scan(&text)
	}
	err := d.db.Read(ctx, get)
	if errors.Is(err, sql.ErrNoRows) {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh) // does not fail
		err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
			if _, err := tx.Exec(ctx, sqlAddKey, name, base64.StdEncoding.EncodeToString(fresh)); err != nil {
				return err
			}
			return get(ctx, tx) // another process may have been quicker
		})
	}
	if err != nil {
		return nil, fmt.Errorf("account: read key %s: %w", name, err)
	}
	return base64.StdEncoding.DecodeString(text)
}

// Lookup implements Directory.
func (d *SQLDirectory) Lookup(ctx context.Context, name string) (Account, error) {
	name, err := NormalizeName(name)
	if err != nil {
		return Account{}, ErrNotFound
	}
	r, err := d.find(ctx, d.candidates(name, false))
	return r.Account, err
}

// Recipient implements Directory.
func (d *SQLDirectory) Recipient(ctx context.Context, address string) (Account, error) {
	name, err := NormalizeName(address)
	if err != nil {
		return Account{}, ErrNotFound
	}
	r, err := d.find(ctx, d.candidates(name, true))
	return r.Account, err
}

// canonical returns a normalized name without the domain, if that is ours: a person has one name then, for counting
// failures, even if there is no such person.
func (d *SQLDirectory) canonical(name string) string {
	if local, domain, ok := strings.Cut(name, "@"); ok && slices.Contains(d.opt.Domains, domain) {
		return local
	}
	return name
}

// candidates returns the accounts that a normalized name may mean, the best first. Places left over repeat the first.
func (d *SQLDirectory) candidates(name string, recipient bool) (names [4]string) {
	n := 0
	add := func(name string) {
		names[n] = name
		n++
	}
	local, domain, whole := strings.Cut(name, "@")
	both := func(local string) {
		switch {
		case whole && slices.Contains(d.opt.Domains, domain):
			add(local + "@" + domain)
			add(local)
		case whole:
			add(local + "@" + domain)
		case len(d.opt.Domains) > 0:
			add(local)
			add(local + "@" + d.opt.Domains[0])
		default:
			add(local)
		}
	}
	both(local)
	if recipient && d.opt.RecipientDelimiter != "" {
		if user, _, ok := strings.Cut(local, d.opt.RecipientDelimiter); ok && user != "" {
			both(user)
		}
	}
	for ; n < len(names); n++ {
		names[n] = names[0]
	}
	return names
}

// A row is an account with what is needed to check its password.
type row struct {
	Account
	version    int64
	iterations int
	hasSecret  bool
	argon2id   string
}

// find returns the first of names that there is.
func (d *SQLDirectory) find(ctx context.Context, names [4]string) (found row, err error) {
	read := d.db.Read
	if names == [4]string{names[0], names[0], names[0], names[0]} {
		read = d.db.ReadOne
	}
	err = read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return findIn(ctx, tx, names, &found)
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("account: look up: %w", err)
	}
	return found, err
}

// findIn is find within a transaction. Each name is asked for, whether one before it was found or not, so that the work
// does not tell. Queries for one name are cheaper than one with IN, for which SQLite builds a table each time.
func findIn(ctx context.Context, tx catalog.Tx, names [4]string, found *row) error {
	*found = row{}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		var r row
		err := r.scan(tx.QueryRow(ctx, sqlFind, name))
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		case found.ID == 0:
			*found = r
		}
	}
	if found.ID == 0 {
		return ErrNotFound
	}
	return nil
}

func (r *row) scan(from interface{ Scan(...any) error }) error {
	var created, passwordSet, lastSignIn int64
	err := from.Scan(&r.ID, &r.Name, &r.Disabled, &created, &passwordSet, &lastSignIn, &r.version, &r.iterations, &r.RequireTLS, &r.hasSecret, &r.argon2id)
	r.Created, r.PasswordSet, r.LastSignIn = fromMicros(created), fromMicros(passwordSet), fromMicros(lastSignIn)
	return err
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
