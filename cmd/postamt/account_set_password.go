package main

import (
	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
)

func newAccountSetPassword(a *app) *cobra.Command {
	var source passwordSource
	cmd := &cobra.Command{
		Use:   "set-password NAME",
		Short: "Change a password; asks for the new one",
		Long:  "The old password stops working at once. Sessions that are open go on.",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := source.one(cmd); err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				found, err := v.Accounts.Get(cmd.Context(), args[0])
				if err != nil {
					return named(args[0], err)
				}
				password, err := source.get(a, found.Name)
				if err != nil {
					return err
				}
				if err := v.Accounts.SetPassword(cmd.Context(), found.Name, password); err != nil {
					return named(found.Name, err)
				}
				return a.tell(source, "password of "+found.Name+" changed", found.Name, password)
			})
		},
	}
	source.flags(cmd)
	return cmd
}
