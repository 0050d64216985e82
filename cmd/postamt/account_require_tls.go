package main

import (
	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/office"
)

func newAccountRequireTLS(a *app) *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:   "require-tls NAME",
		Short: "Let somebody sign in over TLS only",
		Long: `Let somebody sign in over TLS only. Without TLS every answer is then the one that a wrong password gets, whatever
the configuration allows others.
Sessions that are open go on.`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				if err := v.Accounts.SetRequireTLS(cmd.Context(), args[0], !off); err != nil {
					return named(args[0], err)
				}
				if off {
					return a.print("account %s may sign in as the configuration says\n", args[0])
				}
				return a.print("account %s may sign in over TLS only\n", args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "let the configuration decide again")
	return cmd
}
