package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newAccountList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List all accounts with what they hold",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				all := []accountInfo{}
				for acc, err := range v.Accounts.All(cmd.Context()) {
					if err != nil {
						return err
					}
					info, err := describe(cmd.Context(), v, acc)
					if err != nil {
						return err
					}
					all = append(all, info)
				}
				if asJSON {
					return a.printJSON(all)
				}
				if len(all) == 0 {
					return a.print("there are no accounts yet; postamt account add NAME makes one\n")
				}
				t := terminal.Table{Header: []string{"name", "state", "messages", "size", "last sign-in"}, Right: []int{2, 3}}
				for _, i := range all {
					t.Rows = append(t.Rows, []string{
						i.Name, i.state(), strconv.Itoa(i.Messages), terminal.FormatOctets(i.Octets), when(i.LastSignIn, "never"),
					})
				}
				return a.table(t)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
