package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newFetchRetry(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "retry NAME",
		Short: "Try again, at the next run, what was set aside or left by a filter",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withJournal(cmd.Context(), args[0], func(j *collect.Journal) error {
				n, err := j.Retry(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.print("%s of %s will be tried again\n", count(n, "message"), args[0])
			})
		},
	}
}

func newFetchForget(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget NAME",
		Short: "Forget what was fetched of an account",
		Long: `Forget removes an account from the journal, for one that is not in the configuration any more. If it still is, its next run
is like its first one: what is on the server is fetched again.`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withJournal(cmd.Context(), args[0], func(j *collect.Journal) error {
				if !yes {
					sure, err := a.notes.Confirm(fmt.Sprintf("Forget what was fetched of %s?", args[0]))
					if errors.Is(err, terminal.ErrNoTerminal) {
						return usage("there is no terminal to ask on, say --yes if what was fetched of %s shall be forgotten", args[0])
					}
					if err != nil || !sure {
						return err
					}
				}
				if err := j.ForgetAccount(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.print("%s is forgotten\n", args[0])
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// withJournal runs fn if the journal knows the account.
func (a *app) withJournal(ctx context.Context, account string, fn func(*collect.Journal) error) error {
	return a.withVault(ctx, func(v *office.Vault) error {
		journal, err := collect.NewJournal(ctx, v.Catalog)
		if err != nil {
			return err
		}
		known, err := journal.Statuses(ctx)
		if err != nil {
			return err
		}
		var names []string
		for _, s := range known {
			names = append(names, s.Account)
			if s.Account == account {
				return fn(journal)
			}
		}
		if len(names) == 0 {
			return usage("nothing was fetched of an account %q, nor of any other", account)
		}
		return usage("nothing was fetched of an account %q, there are: %s", account, strings.Join(names[:min(len(names), 20)], ", "))
	})
}
