package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
)

func newAccount(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "account",
		Aliases: []string{"accounts"},
		Short:   "Add, list, change and remove accounts",
		Long:    "Accounts can be changed while the daemon runs; it knows of the change at once.",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newAccountAdd(a), newAccountList(a), newAccountShow(a), newAccountSetPassword(a),
		newAccountDisable(a, true), newAccountDisable(a, false), newAccountRequireTLS(a), newAccountRemove(a),
	)
	return cmd
}

// accountInfo is an account as --json shows it.
type accountInfo struct {
	Name            string     `json:"name"`
	ID              int64      `json:"id"`
	Disabled        bool       `json:"disabled"`
	RequireTLS      bool       `json:"require_tls"`
	Created         time.Time  `json:"created"`
	PasswordSet     *time.Time `json:"password_set"`
	LastSignIn      *time.Time `json:"last_sign_in"`
	Messages        int        `json:"messages"`
	Octets          int64      `json:"octets"`
	DeletedMessages int        `json:"deleted_messages"`
	DeletedOctets   int64      `json:"deleted_octets"`
}

func describe(ctx context.Context, v *office.Vault, a account.Account) (accountInfo, error) {
	u, err := v.Store.Usage(ctx, mailstore.DropID(a.ID))
	if errors.Is(err, mailstore.ErrRemoved) {
		err = nil // somebody removes the account at this moment
	}
	return accountInfo{
		Name: a.Name, ID: a.ID, Disabled: a.Disabled, RequireTLS: a.RequireTLS, Created: a.Created,
		PasswordSet: known(a.PasswordSet), LastSignIn: known(a.LastSignIn),
		Messages: u.Messages, Octets: u.Octets, DeletedMessages: u.DeletedMessages, DeletedOctets: u.DeletedOctets,
	}, err
}

// known returns nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// when shows a time to a person, with a word for none.
func when(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return t.Local().Format("2006-01-02 15:04")
}

func (i *accountInfo) state() string {
	switch {
	case i.Disabled:
		return "disabled"
	case i.PasswordSet == nil:
		return "no password"
	case i.RequireTLS:
		return "ok, with TLS only"
	}
	return "ok"
}

// named makes an error about an account name it.
func named(name string, err error) error {
	switch {
	case errors.Is(err, account.ErrNotFound):
		return failure("there is no account %q, see postamt account list", name)
	case errors.Is(err, account.ErrExists):
		return failure("there is an account %q already", name)
	case errors.Is(err, account.ErrBusy):
		return failure("the machine is too busy to hash a password, try again")
	}
	return err
}
