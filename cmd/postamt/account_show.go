package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newAccountShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one account",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				found, err := v.Accounts.Lookup(cmd.Context(), args[0])
				if err != nil {
					return named(args[0], err)
				}
				i, err := describe(cmd.Context(), v, found)
				if err != nil {
					return err
				}
				if asJSON {
					return a.printJSON(i)
				}
				held := func(n int, octets int64) string { return fmt.Sprintf("%d (%s)", n, terminal.FormatOctets(octets)) }
				return a.table(terminal.Table{Header: []string{"name", i.Name}, Rows: [][]string{
					{"id", fmt.Sprint(i.ID)},
					{"state", i.state()},
					{"messages", held(i.Messages, i.Octets)},
					{"deleted, can be brought back", held(i.DeletedMessages, i.DeletedOctets)},
					{"created", when(&i.Created, "")},
					{"password set", when(i.PasswordSet, "never")},
					{"last sign-in", when(i.LastSignIn, "never")},
				}})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
