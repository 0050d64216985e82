package popd_test

import (
	"context"
	"testing"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3test"
)

// The suite that pop3test has for everybody's backends.
func TestBackend(t *testing.T) {
	t.Parallel()
	set := settings{
		keep:    account.Keep{Recoverable: true},
		options: func(o *popd.Options) { o.Secret = true },
		guard:   account.GuardOptions{Throttle: account.ThrottleOptions{FreePerAddress: -1, FreePerAccount: -1}},
	}
	pop3test.Backend(t, func(tb testing.TB) pop3test.BackendFixture {
		o := openOffice(tb, tb.TempDir(), set)
		return pop3test.BackendFixture{
			Backend: o.backend,
			AddAccount: func(user, password string) error {
				o.account(user, password)
				return nil
			},
			Deliver: func(user string, message []byte) error {
				a, err := o.dir.Get(context.Background(), user)
				if err != nil {
					return err
				}
				return o.deliverTo(mailstore.DropID(a.ID), string(message))
			},
			Restart: func() (pop3server.Backend, error) {
				o.close()
				*o = *openOffice(tb, o.folder, set)
				return o.backend, nil
			},
		}
	})
}
