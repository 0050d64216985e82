package office

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A catalog that was lost is not begun anew beside the bodies: the sweep would remove all of them.
func TestLostCatalog(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	catalog := filepath.Join(cfg.Data, catalogName)
	open := func() error {
		v, err := OpenVault(t.Context(), cfg)
		if err == nil {
			err = v.Close()
		}
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(catalog); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("no catalog and no bodies: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Data, bodiesName, "01a20"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("a catalog and bodies: %v", err)
	}
	const want = "is missing or empty, though there is mail in "
	if err := os.Truncate(catalog, 0); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("an empty catalog and bodies: %v", err)
	}
	if err := os.Remove(catalog); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("no catalog and bodies: %v", err)
	}
	if _, err := os.Stat(catalog); err == nil {
		t.Error("a new catalog was begun")
	}
}
