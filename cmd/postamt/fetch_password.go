package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/keyring"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newFetchPassword(a *app) *cobra.Command {
	var stdin, remove, smtp, imap, proxy bool
	cmd := &cobra.Command{
		Use:   "password NAME",
		Short: "Put the password of an account elsewhere into the keyring; asks for it",
		Long: `Password keeps the password for a [[fetch]] account in the keyring of the desktop (GNOME Keyring, KWallet, KeePassXC and
others with the Secret Service), where the account finds it if its configuration says password = "keyring". It replaces the
one that is there. The password on the other server is not changed.`,
		Example: "  postamt fetch password isp\n  pass show mail/isp | postamt fetch password --password-stdin isp",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key := "password"
			switch {
			case smtp:
				key = "smtp_password"
			case imap:
				key = "imap_password"
			case proxy:
				key = "proxy_password"
			}
			loaded, err := a.load()
			if err != nil {
				return err
			}
			f, err := fetchNamed(&loaded.Config, args[0])
			if err != nil {
				return err
			}
			places, err := office.FetchKeyring(f, key)
			if err != nil {
				return err
			}
			if remove {
				return a.removePassword(cmd.Context(), places)
			}
			return a.keepPassword(cmd.Context(), places, stdin)
		},
	}
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input, one line")
	cmd.Flags().BoolVar(&remove, "delete", false, "remove the password from the keyring")
	cmd.Flags().BoolVar(&smtp, "smtp", false, "take smtp_password instead, that of the smtp:// destinations")
	cmd.Flags().BoolVar(&imap, "imap", false, "take imap_password instead, that of the imap:// destinations")
	cmd.Flags().BoolVar(&proxy, "proxy", false, "take proxy_password instead, that of the proxy")
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "delete")
	cmd.MarkFlagsMutuallyExclusive("smtp", "imap", "proxy")
	return cmd
}

// fetchNamed returns the [[fetch]] of that name.
func fetchNamed(cfg *config.Config, name string) (*config.Fetch, error) {
	var known []string
	for i := range cfg.Fetch {
		if cfg.Fetch[i].Name == name {
			return &cfg.Fetch[i], nil
		}
		known = append(known, cfg.Fetch[i].Name)
	}
	return nil, usage("%w", &office.UnknownFetchError{Name: name, Known: known})
}

func (a *app) keepPassword(ctx context.Context, places []office.KeyringEntry, stdin bool) (err error) {
	var password string
	if stdin {
		password, err = terminal.PasswordFrom(a.in)
	} else {
		password, err = a.notes.NewPassword(fmt.Sprintf("Password of %s: ", terminal.Printable(places[0].For)))
	}
	if errors.Is(err, terminal.ErrNoTerminal) {
		return failure("there is no terminal to ask on, pipe the password in with --password-stdin")
	}
	if err != nil {
		return err
	}
	ring := keyring.Open()
	for _, p := range places {
		if err := ring.Set(ctx, p.Service, p.User, password); err != nil {
			return err
		}
		if err := a.print("the password of %s is in the keyring (service %s, user %s)\n", p.For, p.Service, p.User); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) removePassword(ctx context.Context, places []office.KeyringEntry) error {
	ring := keyring.Open()
	for _, p := range places {
		if err := ring.Delete(ctx, p.Service, p.User); err != nil {
			return err
		}
		if err := a.print("the password of %s is removed from the keyring\n", p.For); err != nil {
			return err
		}
	}
	return nil
}
