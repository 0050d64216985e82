package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newAccountRemove(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm"},
		Short:   "Remove an account and all its mail, for good",
		Long: `Remove deletes the account and its maildrop. Nothing of it can be brought back; "postamt export" before it keeps
a copy, "postamt account disable" only shuts the door.`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				ctx := cmd.Context()
				found, err := v.Accounts.Get(ctx, args[0])
				if err != nil {
					return named(args[0], err)
				}
				info, err := describe(ctx, v, found)
				if err != nil {
					return err
				}
				if !yes {
					question := fmt.Sprintf("Remove %s with %d messages (%s) for good?", found.Name, info.Messages, terminal.FormatOctets(info.Octets))
					switch ok, err := a.notes.Confirm(question); {
					case errors.Is(err, terminal.ErrNoTerminal):
						return usage("there is no terminal to ask on, say --yes if %s and its %d messages shall go", found.Name, info.Messages)
					case err != nil:
						return err
					case !ok:
						return failure("%s was not removed", found.Name)
					}
				}
				if err := v.RemoveAccount(ctx, found.Name); err != nil {
					return named(found.Name, err)
				}
				return a.print("account %s removed\n", found.Name)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
