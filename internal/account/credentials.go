package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/sasl"
)

// derived is what is kept of a password, as it stands in the catalog.
type derived struct {
	iterations                               int
	argon2id, scramSHA1, scramSHA256, secret string
}

// derive computes from a prepared password what Keep says.
func (d *SQLDirectory) derive(ctx context.Context, password string) (c derived, err error) {
	if c.argon2id, err = d.hasher.hash(ctx, password); err != nil {
		return derived{}, err
	}
	if d.opt.Keep.Recoverable {
		c.secret = password
	}
	if d.opt.Keep.SCRAMIterations < 0 {
		return c, nil
	}
	c.iterations = d.opt.Keep.SCRAMIterations
	for _, to := range []struct {
		hash sasl.ScramHash
		text *string
	}{{sasl.SHA1, &c.scramSHA1}, {sasl.SHA256, &c.scramSHA256}} {
		keys, err := sasl.DeriveScramCredentials(to.hash, password, sasl.NewSalt(), c.iterations)
		if err != nil {
			return derived{}, fmt.Errorf("account: derive SCRAM keys: %w", err)
		}
		*to.text = formatSCRAM(to.hash, keys)
	}
	return c, nil
}

// stale reports whether the SCRAM keys of an account are not those that Keep wants.
func (d *SQLDirectory) stale(r row) bool {
	return d.opt.Keep.SCRAMIterations > 0 && r.iterations != d.opt.Keep.SCRAMIterations
}

// refresh derives anew from a password that was just verified, because it costs too little or too much by now. It does
// nothing if the password was changed meanwhile.
func (d *SQLDirectory) refresh(ctx context.Context, r row, password string) error {
	c, err := d.derive(ctx, password)
	if err != nil {
		return err
	}
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, sqlRefresh, c.iterations, c.argon2id, c.scramSHA1, c.scramSHA256, r.ID, r.version)
		return err
	})
	if err != nil {
		return fmt.Errorf("account: hash password anew: %w", err)
	}
	return nil
}

// scramKeys returns an account's keys for SCRAM; ErrNotFound if there are none.
func (d *SQLDirectory) scramKeys(ctx context.Context, id int64, h sasl.ScramHash) (sasl.ScramCredentials, error) {
	var sha1, sha256 string
	if err := d.scan(ctx, sqlSCRAM, id, &sha1, &sha256); err != nil {
		return sasl.ScramCredentials{}, err
	}
	text := sha256
	if h == sasl.SHA1 {
		text = sha1
	}
	if text == "" {
		return sasl.ScramCredentials{}, ErrNotFound
	}
	return parseSCRAM(h, text)
}

// fakeSCRAMKeys returns keys for a canonical name that has none: each time the same ones, across restarts.
func (d *SQLDirectory) fakeSCRAMKeys(name string, h sasl.ScramHash) sasl.ScramCredentials {
	return sasl.FakeScramCredentials(h, d.fakeKey, name, max(d.opt.Keep.SCRAMIterations, sasl.MinIterations))
}

// secret returns an account's password in the clear; ErrNotFound if it is not kept.
func (d *SQLDirectory) secret(ctx context.Context, id int64) ([]byte, error) {
	var secret []byte
	if err := d.scan(ctx, sqlSecret, id, &secret); err != nil {
		return nil, err
	}
	if len(secret) == 0 {
		return nil, ErrNotFound
	}
	return secret, nil
}

// scan reads one row of one account; ErrNotFound if the account is gone.
func (d *SQLDirectory) scan(ctx context.Context, query string, id int64, to ...any) error {
	err := d.db.ReadOne(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, query, id).Scan(to...)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("account: read credentials: %w", err)
	}
	return nil
}

// signedIn writes down when accounts were last signed in to, in one transaction.
func (d *SQLDirectory) signedIn(ctx context.Context, when map[int64]time.Time) error {
	return d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		for id, t := range when {
			if _, err := tx.Exec(ctx, sqlSignedIn, t.UnixMicro(), id, t.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// one turns the result of a statement that must change one row into ErrNotFound if it changed none.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
