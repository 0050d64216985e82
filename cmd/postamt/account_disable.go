package main

import (
	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
)

// newAccountDisable makes "disable" and, with disable false, "enable".
func newAccountDisable(a *app, disable bool) *cobra.Command {
	verb, short := "enable", "Let somebody sign in again"
	if disable {
		verb, short = "disable", "Let somebody sign in no more; mail is still taken in"
	}
	return &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Long:  short + ".\nSessions that are open go on.",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				if err := v.Accounts.SetDisabled(cmd.Context(), args[0], disable); err != nil {
					return named(args[0], err)
				}
				return a.print("account %s %sd\n", args[0], verb)
			})
		},
	}
}
