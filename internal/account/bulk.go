package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/internal/catalog"
)

// A Hashed is an account whose password was hashed elsewhere.
type Hashed struct {
	Name string // normalized
	// Hash is argon2id in the PHC string format. Empty means no password: nobody can sign in.
	Hash string
}

// ParseHashed reads a line NAME:HASH. A line of Dovecot's passwd-file is one as well: the scheme before the hash
// ({ARGON2ID}) and the fields after it are left out. An error, such as *NameError, does not repeat the hash.
func ParseHashed(line string) (Hashed, error) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok {
		return Hashed{}, errors.New("account: a line must be NAME:HASH")
	}
	name, err := NormalizeName(name)
	if err != nil {
		return Hashed{}, err
	}
	hash, _, _ := strings.Cut(rest, ":")
	if scheme, bare, ok := strings.Cut(hash, "}"); ok && strings.EqualFold(scheme, "{ARGON2ID") {
		hash = bare
	}
	if hash == "" {
		return Hashed{Name: name}, nil
	}
	if _, err := parseHash(hash); err != nil {
		return Hashed{}, err
	}
	return Hashed{Name: name, Hash: hash}, nil
}

// AddHashed adds accounts in one transaction and returns how many it added. Those whose name there is already stay as
// they are, so it can be done again. When somebody first signs in with the password, it is hashed anew if its hash does
// not cost what ours do, and SCRAM keys are made.
func (d *SQLDirectory) AddHashed(ctx context.Context, list []Hashed) (added int, err error) {
	now := d.opt.Now().UnixMicro()
	err = d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		added = 0 // it may be tried again
		if _, err := tx.Exec(ctx, sqlTakeIDs, len(list)); err != nil {
			return err
		}
		var last int64
		if err := tx.QueryRow(ctx, sqlLastID).Scan(&last); err != nil {
			return err
		}
		for i, h := range list {
			set, version := int64(0), 0
			if h.Hash != "" {
				set, version = now, 1
			}
			result, err := tx.Exec(ctx, sqlAddHashed, last-int64(len(list)-1-i), h.Name, now, set, version, h.Hash)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			added += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("account: add many: %w", err)
	}
	return added, nil
}
