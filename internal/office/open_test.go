package office

import (
	"testing"

	"github.com/postamt/postamt/internal/config"
)

// openVault opens the vault of a configuration until the end of the test, with new accounts in it. It returns their ids.
func openVault(t *testing.T, cfg *config.Config, names ...string) (*Vault, map[string]int64) {
	t.Helper()
	v, err := OpenVault(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v, addAccounts(t, v, names...)
}

func addAccounts(t *testing.T, v *Vault, names ...string) map[string]int64 {
	t.Helper()
	ids := make(map[string]int64)
	for _, name := range names {
		a, err := v.Accounts.Add(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = a.ID
	}
	return ids
}

// openCollector opens the collector of a configuration until the end of the test.
func openCollector(t *testing.T, cfg *config.Config, v *Vault, opt CollectorOptions) *Collector {
	t.Helper()
	c, err := OpenCollector(t.Context(), cfg, v, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
