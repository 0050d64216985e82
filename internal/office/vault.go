package office

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
)

// The names in the data folder. docs/storage-format.md describes them.
const (
	catalogName = "catalog.db"
	bodiesName  = "mail"
	locksName   = "locks"
	tlsName     = "tls"
	controlName = "control.sock"
)

// ControlSocket returns the path of the daemon's control socket.
func ControlSocket(cfg *config.Config) string { return filepath.Join(cfg.Data, controlName) }

// A Vault is the data folder, open: what the daemon and the commands share. Several processes may have the same one open.
type Vault struct {
	Catalog  *catalog.DB
	Store    *sqlstore.Store
	Accounts *account.SQLDirectory
}

// OpenVault opens the data folder of a configuration and makes it if it is not there.
func OpenVault(ctx context.Context, cfg *config.Config) (_ *Vault, err error) {
	if err := makeData(cfg.Data); err != nil {
		return nil, err
	}
	v := new(Vault)
	defer func() {
		if err != nil {
			_ = v.Close()
		}
	}()
	if v.Catalog, err = catalog.Open(ctx, filepath.Join(cfg.Data, catalogName), catalog.Options{}); err != nil {
		return nil, noRoom(cfg.Data, err, syscall.Statfs)
	}
	folder, err := body.Dir(filepath.Join(cfg.Data, bodiesName))
	if err != nil {
		return nil, err
	}
	// The limit of a message is the counter's: an import may bring a larger one.
	v.Store, err = sqlstore.Open(ctx, v.Catalog, body.NewDisk(folder, body.Options{}), filepath.Join(cfg.Data, locksName), sqlstore.Options{
		UndeleteWindow: cmpZero(time.Duration(cfg.Store.UndeleteWindow)),
		ListingCache:   int64(cfg.Store.ListingCache),
	})
	if err != nil {
		return nil, err
	}
	v.Accounts, err = newDirectory(ctx, v.Catalog, cfg)
	return v, err
}

// RemoveAccount removes an account and its maildrop for good: both are gone, or none. account.ErrNotFound.
func (v *Vault) RemoveAccount(ctx context.Context, name string) error {
	removed, err := v.Accounts.Remove(ctx, name, func(ctx context.Context, tx catalog.Tx, id int64) error {
		return v.Store.RemoveIn(ctx, tx, mailstore.DropID(id))
	})
	if err != nil {
		return err
	}
	return v.Store.Remove(ctx, mailstore.DropID(removed.ID)) // gives the room back; cut off, the sweep goes on with it
}

// Close releases everything.
func (v *Vault) Close() error {
	var errs []error
	if v.Store != nil {
		errs = append(errs, v.Store.Close())
	}
	if v.Catalog != nil {
		errs = append(errs, v.Catalog.Close())
	}
	return errors.Join(errs...)
}

// newDirectory returns the accounts as a configuration wants to see them.
func newDirectory(ctx context.Context, db *catalog.DB, cfg *config.Config) (*account.SQLDirectory, error) {
	hasher, err := account.NewHasher(account.HasherOptions{
		Argon2:      account.Argon2{Memory: int64(cfg.SignIn.Argon2Memory), Passes: cfg.SignIn.Argon2Passes},
		Concurrency: cfg.SignIn.Argon2Concurrency,
	})
	if err != nil {
		return nil, err
	}
	keep := account.Keep{SCRAMIterations: cfg.SignIn.SCRAMIterations, Recoverable: cfg.POP3.APOP || cfg.POP3.CRAMMD5}
	if !cfg.SignIn.SCRAM {
		keep.SCRAMIterations = -1
	}
	return account.NewSQLDirectory(ctx, db, account.SQLOptions{
		Domains: cfg.Domains, RecipientDelimiter: cfg.LMTP.RecipientDelimiter, Keep: keep, Hasher: hasher,
	})
}

func makeData(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made, make it or name another one with data: %w", err)
	}
	fi, err := os.Stat(data)
	switch {
	case err != nil:
		return fmt.Errorf("the data folder cannot be opened: %w", err)
	case fi.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write to the data folder %s (mode %04o), that is not safe: chmod go-w %s", data, fi.Mode().Perm(), data)
	}
	return cmp.Or(
		checkOwner(filepath.Join(data, catalogName), os.Geteuid()),
		checkWritable(data, syscall.Access),
		checkCatalog(data),
	)
}

// checkOwner refuses to work as another user than the one whose catalog it is. Root could, and would leave files behind
// that the daemon cannot read.
func checkOwner(catalog string, uid int) error {
	fi, err := os.Stat(catalog)
	if errors.Is(err, fs.ErrPermission) {
		fi, err = os.Stat(filepath.Dir(catalog)) // the folder of somebody else, who is to be named all the same
	}
	if err != nil {
		return nil // there is none yet, or opening it will say what is wrong
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == uid {
		return nil
	}
	owner := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	return fmt.Errorf("the data in %s belongs to the user %s, run this as that user: sudo -u %s postamt", filepath.Dir(catalog), owner, owner)
}

// cmpZero turns the 0 of a configuration, "none", into the negative number that means so in our packages, where 0 means
// the default.
func cmpZero(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
