package account

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/postamt/postamt/internal/catalog"
)

// The methods of this file are for those who keep the accounts. They take the name an account has (in any case), not
// the other names that Lookup understands.

// Add makes an account without a password. *NameError, ErrExists.
func (d *SQLDirectory) Add(ctx context.Context, name string) (Account, error) {
	name, err := NormalizeName(name)
	if err != nil {
		return Account{}, err
	}
	a := Account{Name: name}
	now := d.opt.Now().UnixMicro()
	a.Created = fromMicros(now)
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		// Ids count up in a row of their own, so that the id of a removed account never comes back.
		if _, err := tx.Exec(ctx, sqlNextID); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, sqlLastID).Scan(&a.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlAdd, a.ID, a.Name, now)
		return err
	})
	switch {
	case errors.Is(err, catalog.ErrConstraint):
		return Account{}, ErrExists
	case err != nil:
		return Account{}, fmt.Errorf("account: add: %w", err)
	}
	return a, nil
}

// Get returns the account of that very name. ErrNotFound.
func (d *SQLDirectory) Get(ctx context.Context, name string) (Account, error) {
	name, err := NormalizeName(name)
	if err != nil {
		return Account{}, ErrNotFound
	}
	r, err := d.find(ctx, [4]string{name, name, name, name})
	return r.Account, err
}

// pageSize is how many accounts All reads at a time.
const pageSize = 500

// All ranges over all accounts, ordered by the octets of their names. It reads page by page and holds no transaction
// meanwhile, so accounts that come and go while it runs may or may not show. After an error it ends.
func (d *SQLDirectory) All(ctx context.Context) iter.Seq2[Account, error] {
	return func(yield func(Account, error) bool) {
		after := ""
		for {
			page, err := d.page(ctx, after)
			if err != nil {
				yield(Account{}, fmt.Errorf("account: list: %w", err))
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Name
		}
	}
}

func (d *SQLDirectory) page(ctx context.Context, after string) (page []Account, err error) {
	err = d.db.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		page = page[:0]
		rows, err := tx.Query(ctx, sqlPage, after, pageSize)
		if err != nil {
			return err
		}
		for rows.Next() {
			var r row
			if err := r.scan(rows); err != nil {
				return errors.Join(err, rows.Close())
			}
			page = append(page, r.Account)
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	return page, err
}

// SetPassword sets an account's password and derives from it what Keep says. Once it returns, the old one does not work
// anywhere. ErrNotFound, *PasswordError, ErrBusy.
func (d *SQLDirectory) SetPassword(ctx context.Context, name, password string) error {
	a, err := d.Get(ctx, name)
	if err != nil {
		return err
	}
	if password, err = newPassword(password); err != nil {
		return err
	}
	c, err := d.derive(ctx, password)
	if err != nil {
		return err
	}
	now := d.opt.Now().UnixMicro()
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return one(tx.Exec(ctx, sqlSetPassword, now, c.iterations, c.argon2id, c.scramSHA1, c.scramSHA256, c.secret, a.ID))
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("account: set password: %w", err)
	}
	return err
}

// SetDisabled disables an account or enables it again. Mail still comes in for a disabled account, but nobody can sign
// in. Sessions that are open stay open. ErrNotFound.
func (d *SQLDirectory) SetDisabled(ctx context.Context, name string, disabled bool) error {
	return d.set(ctx, sqlSetDisabled, name, disabled)
}

// SetRequireTLS makes an account one that can be signed in to over TLS only, or no longer such a one. ErrNotFound.
func (d *SQLDirectory) SetRequireTLS(ctx context.Context, name string, require bool) error {
	return d.set(ctx, sqlRequireTLS, name, require)
}

// set runs a query that sets something of an account to yes or no.
func (d *SQLDirectory) set(ctx context.Context, query, name string, yes bool) error {
	name, err := NormalizeName(name)
	if err != nil {
		return ErrNotFound
	}
	value := 0
	if yes {
		value = 1
	}
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return one(tx.Exec(ctx, query, value, name))
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("account: change: %w", err)
	}
	return err
}

// Remove removes an account and returns what it was. A new account can have the name, but none will ever have the id.
// also, if not nil, is part of the same transaction, for what goes with the account: either all of it is gone or nothing.
// It may be called again. ErrNotFound.
func (d *SQLDirectory) Remove(ctx context.Context, name string, also func(ctx context.Context, tx catalog.Tx, id int64) error) (Account, error) {
	name, err := NormalizeName(name)
	if err != nil {
		return Account{}, ErrNotFound
	}
	var r row
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := findIn(ctx, tx, [4]string{name, name, name, name}, &r); err != nil {
			return err
		}
		if err := one(tx.Exec(ctx, sqlRemove, r.ID)); err != nil || also == nil {
			return err
		}
		return also(ctx, tx, r.ID)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return Account{}, ErrNotFound
	case err != nil:
		return Account{}, fmt.Errorf("account: remove: %w", err)
	}
	return r.Account, nil
}
