package office

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/mailstore"
)

// An account and its maildrop go together, or stay together, also when the removal fails at its very end.
func TestRemoveAccount(t *testing.T) {
	t.Parallel()
	v, ids := openVault(t, settings(t), "bob")
	drop := mailstore.DropID(ids["bob"])
	letter, err := sink.NewStore(v.Store, mailstore.Recipient{Drop: drop, Address: "bob"}, "bob").Begin(t.Context(), collect.Letter{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(letter, "Subject: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := letter.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	crash := errors.New("the power fails")
	_, err = v.Accounts.Remove(t.Context(), "bob", func(ctx context.Context, tx catalog.Tx, id int64) error {
		return errors.Join(v.Store.RemoveIn(ctx, tx, mailstore.DropID(id)), crash)
	})
	if !errors.Is(err, crash) {
		t.Errorf("removing with a crash: %v", err)
	}
	if got, err := v.Accounts.Get(t.Context(), "bob"); err != nil || got.ID != ids["bob"] {
		t.Errorf("after the crash: %+v, %v", got, err)
	}
	if u, err := v.Store.Usage(t.Context(), drop); err != nil || u.Messages != 1 {
		t.Errorf("after the crash: %+v, %v", u, err)
	}

	// Cut off between the transaction and the giving back of room, the sweep does the rest.
	_, err = v.Accounts.Remove(t.Context(), "bob", func(ctx context.Context, tx catalog.Tx, id int64) error {
		return v.Store.RemoveIn(ctx, tx, mailstore.DropID(id))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Accounts.Get(t.Context(), "bob"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("the account: %v", err)
	}
	if _, err := v.Store.Usage(t.Context(), drop); !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("the maildrop: %v", err)
	}
	if swept, err := v.Store.Sweep(t.Context()); err != nil || swept.Messages != 1 || swept.Bodies != 1 {
		t.Errorf("swept %+v, %v", swept, err)
	}

	// In one go, nothing is left to sweep.
	if _, err := v.Accounts.Add(t.Context(), "eve"); err != nil {
		t.Fatal(err)
	}
	if err := v.RemoveAccount(t.Context(), "eve"); err != nil {
		t.Error(err)
	}
	if err := v.RemoveAccount(t.Context(), "eve"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if report, err := v.Store.Check(t.Context(), mailstore.CheckOptions{Digests: true}); err != nil || report.Drops != 0 || len(report.Problems) > 0 {
		t.Errorf("afterwards: %+v, %v", report, err)
	}
}
