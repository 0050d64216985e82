package pop3test_test

import (
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// The suite is tested with a backend that keeps every promise, and in broken_test.go with ones that break one each.
func TestBackendMem(t *testing.T) {
	t.Parallel()
	pop3test.Backend(t, func(testing.TB) pop3test.BackendFixture {
		b := &pop3mem.Backend{Secrets: true}
		return pop3test.BackendFixture{
			Backend:    b,
			AddAccount: b.AddAccount,
			Deliver: func(user string, message []byte) error {
				_, err := b.Deliver(user, message)
				return err
			},
			// What is in memory can be handed on, which is enough to see that the suite looks.
			Restart: func() (pop3server.Backend, error) { return b, nil },
		}
	})
}
