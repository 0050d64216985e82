package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postamt/postamt/internal/testpeers"
)

// TestKeyring runs its script on a real keyring.
func TestKeyring(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	bus := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	t.Run("script", func(t *testing.T) { // scripts are parallel, and must end before the keyring does
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/keyring",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("DBUS_SESSION_BUS_ADDRESS", bus)
				return nil
			},
		})
	})
}
