package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/sasl"
)

func TestAccountLife(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	clock := newTestClock()
	d := newDirectory(t, newCatalog(t), SQLOptions{Now: clock.now})

	a, err := d.Add(ctx, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	want := Account{ID: 1, Name: "alice", Created: clock.now()}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error("added:", diff)
	}
	if _, err := d.Add(ctx, "ALICE"); !errors.Is(err, ErrExists) {
		t.Errorf("added again: %v, want ErrExists", err)
	}

	clock.advance(time.Hour)
	if err := d.SetPassword(ctx, "alice", "secret"); err != nil {
		t.Fatal(err)
	}
	want.PasswordSet = clock.now()
	if err := d.SetDisabled(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	want.Disabled = true
	if got, err := d.Get(ctx, "aLICE"); err != nil || !cmp.Equal(want, got) {
		t.Errorf("got: %v %s", err, cmp.Diff(want, got))
	}
	if err := d.SetDisabled(ctx, "alice", false); err != nil {
		t.Fatal(err)
	}
	want.Disabled = false

	gone, err := d.Remove(ctx, "alice", nil)
	if err != nil || !cmp.Equal(want, gone) {
		t.Errorf("removed: %v %s", err, cmp.Diff(want, gone))
	}
	// The name can be used again, the id cannot, though it was the highest.
	again, err := d.Add(ctx, "alice")
	if err != nil || again.ID <= gone.ID {
		t.Errorf("added again: %+v, %v; want an id over %d", again, err, gone.ID)
	}
	if !again.PasswordSet.IsZero() {
		t.Error("the new account has the password of the old one")
	}
}

func TestAdminOfNobody(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDirectory(t, newCatalog(t), SQLOptions{Domains: []string{"example.org"}})
	addAccount(t, d, "alice", "")
	// Those who keep accounts must name the account itself.
	for _, name := range []string{"bob", "alice@example.org", "not a name"} {
		_, getErr := d.Get(ctx, name)
		_, removeErr := d.Remove(ctx, name, nil)
		for method, err := range map[string]error{
			"Get": getErr, "Remove": removeErr,
			"SetPassword": d.SetPassword(ctx, name, "x"), "SetDisabled": d.SetDisabled(ctx, name, true),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s(%q): %v, want ErrNotFound", method, name, err)
			}
		}
	}
	var ne *NameError
	if _, err := d.Add(ctx, "not a name"); !errors.As(err, &ne) {
		t.Errorf("%v, want a *NameError", err)
	}
	var pe *PasswordError
	if err := d.SetPassword(ctx, "alice", ""); !errors.As(err, &pe) {
		t.Errorf("%v, want a *PasswordError", err)
	}
}

func TestAllIsOrderedAndPaged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDirectory(t, newCatalog(t), SQLOptions{})
	const n = 2*pageSize + 1
	err := d.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		for i := range n {
			if _, err := tx.Exec(ctx, sqlAdd, i+1, fmt.Sprintf("user%06d", (i*7919)%n), 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for a, err := range d.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name)
	}
	if len(names) != n || !slices.IsSorted(names) || names[n-1] != fmt.Sprintf("user%06d", n-1) {
		t.Errorf("%d names, sorted: %t", len(names), slices.IsSorted(names))
	}
	for a := range d.All(ctx) { // may be left early
		if a.Name != "user000000" {
			t.Error(a.Name)
		}
		break
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range d.All(ended) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want Canceled", err)
		}
	}
}

func TestAddConcurrently(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDirectory(t, newCatalog(t), SQLOptions{})
	var mu sync.Mutex
	ids := map[int64]bool{}
	exists := 0
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			a, err := d.Add(ctx, fmt.Sprint("user", i/2)) // two for each name
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ids[a.ID] = true
			case errors.Is(err, ErrExists):
				exists++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(ids) != 20 || exists != 20 {
		t.Errorf("%d ids and %d times ErrExists, want 20 of each", len(ids), exists)
	}
}

// stored is what the catalog has of an account's password.
func stored(t *testing.T, d *SQLDirectory, id int64) (argon2id, sha1, sha256, secret string) {
	t.Helper()
	err := d.scan(context.Background(),
		`SELECT argon2id, scram_sha_1, scram_sha_256, secret FROM accounts WHERE id = ?`, id, &argon2id, &sha1, &sha256, &secret)
	if err != nil {
		t.Fatal(err)
	}
	return argon2id, sha1, sha256, secret
}

func TestKeep(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := newCatalog(t)
	tests := []struct {
		name          string
		keep          Keep
		scram, secret bool
		iterations    string
	}{
		{"default", Keep{}, true, false, "$4096:"},
		{"more iterations", Keep{SCRAMIterations: 5000}, true, false, "$5000:"},
		{"no SCRAM", Keep{SCRAMIterations: -1}, false, false, ""},
		{"recoverable", Keep{Recoverable: true}, true, true, "$4096:"},
	}
	for _, tt := range tests {
		d := newDirectory(t, db, SQLOptions{Keep: tt.keep})
		if _, err := d.Add(ctx, "alice"); err != nil && !errors.Is(err, ErrExists) {
			t.Fatal(err)
		}
		if err := d.SetPassword(ctx, "alice", "cafe\u0301"); err != nil {
			t.Fatal(err)
		}
		argon2id, sha1, sha256, secret := stored(t, d, 1)
		if !strings.HasPrefix(argon2id, "$argon2id$") {
			t.Errorf("%s: hash %q", tt.name, argon2id)
		}
		if (sha1 != "") != tt.scram || (sha256 != "") != tt.scram || !strings.Contains(sha256, tt.iterations) {
			t.Errorf("%s: keys %q and %q", tt.name, sha1, sha256)
		}
		if want := map[bool]string{true: "caf\u00e9"}[tt.secret]; secret != want {
			t.Errorf("%s: secret %q, want %q", tt.name, secret, want)
		}
		if !tt.scram {
			continue
		}
		keys, err := d.scramKeys(ctx, 1, sasl.SHA1)
		if err != nil || len(keys.StoredKey) != 20 {
			t.Errorf("%s: %v, %v", tt.name, keys, err)
		}
	}
}

// A disk that is full makes an error that says so, and changes nothing.
func TestAdminOnAFullDisk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDirectory(t, newCatalog(t), SQLOptions{})
	addAccount(t, d, "alice", "old")
	setMaxPages(t, d.db, 1)
	before, _, _, _ := stored(t, d, 1)
	var err error
	for i := 0; err == nil && i < 10000; i++ {
		_, err = d.Add(ctx, fmt.Sprintf("%0200d", i))
	}
	if !errors.Is(err, catalog.ErrFull) {
		t.Fatalf("%v, want catalog.ErrFull", err)
	}
	if a, err := d.Get(ctx, "alice"); err != nil || a.ID != 1 {
		t.Errorf("reading on a full disk: %+v, %v", a, err)
	}
	if after, _, _, _ := stored(t, d, 1); after != before {
		t.Error("the password changed")
	}
	setMaxPages(t, d.db, 1<<30)
	if _, err := d.Add(ctx, "bob"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// setMaxPages bounds the catalog's size, as a full disk does.
func setMaxPages(t *testing.T, db database, n int) {
	t.Helper()
	err := db.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
}
