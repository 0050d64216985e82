package office

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A desk is where people show who they are: the accounts as a configuration sees them, and the guard who remembers
// passwords and counts failures. Generations whose settings for it are the same share one, so that a reload neither
// forgives guessing nor makes everybody's next sign-in expensive.
type desk struct {
	settings deskSettings
	accounts *account.SQLDirectory
	guard    *account.Guard
	backend  pop3server.Backend
	users    atomic.Int32
}

// deskSettings are what a desk depends on.
type deskSettings struct {
	SignIn        config.SignIn
	Domains       []string
	Delimiter     string
	APOP, CRAMMD5 bool
	SecretOnly    bool
}

func deskSettingsOf(cfg *config.Config) deskSettings {
	return deskSettings{cfg.SignIn, cfg.Domains, cfg.LMTP.RecipientDelimiter, cfg.POP3.APOP, cfg.POP3.CRAMMD5, cfg.POP3.SecretOnly}
}

// openDesk returns a desk for cfg: the former one if it fits. Each call wants a release.
func openDesk(ctx context.Context, cfg *config.Config, o *Office, former *generation) (*desk, error) {
	settings := deskSettingsOf(cfg)
	if former != nil && reflect.DeepEqual(former.desk.settings, settings) {
		former.desk.users.Add(1)
		return former.desk, nil
	}
	accounts, err := newDirectory(ctx, o.vault.Catalog, cfg)
	if err != nil {
		return nil, err
	}
	d := &desk{settings: settings, accounts: accounts, guard: newGuard(accounts, cfg, o)}
	d.backend = popd.New(popd.Options{
		Store: o.store(), SignIn: d.guard, SCRAM: settings.SignIn.SCRAM, Secret: settings.APOP || settings.CRAMMD5,
	})
	d.users.Store(1)
	return d, nil
}

func newGuard(accounts *account.SQLDirectory, cfg *config.Config, o *Office) *account.Guard {
	return account.NewGuard(accounts, account.GuardOptions{
		Throttle: account.ThrottleOptions{
			FreePerAddress: cfg.SignIn.FreeFailuresPerAddress,
			FreePerAccount: cfg.SignIn.FreeFailuresPerAccount,
			MaxDelay:       time.Duration(cfg.SignIn.MaxDelay),
		},
		Remember:   cmpZero(time.Duration(cfg.SignIn.Remember)),
		SecretOnly: cfg.POP3.SecretOnly,
		Hashed:     o.memory.untidy,
		Log:        o.log,
	})
}

// release gives the desk up. The last one closes it.
func (d *desk) release() {
	if d.users.Add(-1) == 0 {
		d.guard.Close()
	}
}
