package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// A passwordSource is where a new password comes from. It never comes from the command line, which others can see.
type passwordSource struct{ stdin, generate bool }

func (s *passwordSource) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.stdin, "password-stdin", false, "read the password from standard input, one line")
	cmd.Flags().BoolVar(&s.generate, "generate", false, "make a strong password and print it once")
}

// one refuses a command line that names more than one source.
func (s *passwordSource) one(cmd *cobra.Command) error {
	var given []string
	for _, name := range []string{"from", "generate", "no-password", "password-stdin"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() != "false" {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usage("%s: give only one of %s", cmd.CommandPath(), strings.Join(given, " and "))
	}
	return nil
}

func (s *passwordSource) get(a *app, name string) (string, error) {
	switch {
	case s.generate:
		return account.GeneratePassword(), nil
	case s.stdin:
		return terminal.PasswordFrom(a.in)
	}
	return a.notes.NewPassword("New password for " + terminal.Printable(name) + ": ")
}

// tell says what was done, and the password if it was made here: the only chance to see it.
func (a *app) tell(source passwordSource, done, name, password string) error {
	if strings.ContainsFunc(name+password, func(r rune) bool { return r > unicode.MaxASCII }) { // RFC 1939 §3
		_, _ = fmt.Fprintln(a.errs, "postamt: warning: there are letters beyond ASCII in the name or the password: "+
			"mail programs that sign in with USER and PASS cannot send them, those with AUTH can")
	}
	err := a.print("%s\n", done)
	if err == nil && source.generate {
		err = a.print("password: %s\n", password)
	}
	if err != nil && source.generate {
		return failure("%w; %s, but nobody knows the password: postamt account set-password %s sets another one", err, done, name)
	}
	return err
}

func newAccountAdd(a *app) *cobra.Command {
	var source passwordSource
	var none bool
	var from string
	cmd := &cobra.Command{
		Use:   "add NAME | --from FILE",
		Short: "Add an account; asks for its password",
		Long: `Add makes an account and its maildrop. NAME is what people sign in with: a local part ("bob") or a whole
address ("bob@example.com"). Case does not matter.

With --from it makes many at once, of a file with lines NAME:HASH. HASH is argon2id in the PHC string format
($argon2id$v=19$...), or empty for an account that nobody can sign in to. Lines of Dovecot's passwd-file with
{ARGON2ID} are taken as they are; empty lines and those that begin with # are left out. If a line is wrong, nothing
is added. Accounts that exist are left as they are, so it is safe to run again.`,
		Example: "  postamt account add bob\n  postamt account add --generate bob@example.com\n  pass show bob | postamt account add --password-stdin bob\n  postamt account add --from /etc/dovecot/users",
		Args: func(cmd *cobra.Command, args []string) error {
			if from != "" {
				return exactly()(cmd, args)
			}
			return exactly("NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := source.one(cmd); err != nil {
				return err
			}
			if from != "" {
				return a.addFrom(cmd.Context(), from)
			}
			if _, err := account.NormalizeName(args[0]); err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				// Look first, so that nobody thinks of a password in vain.
				if _, err := v.Accounts.Get(cmd.Context(), args[0]); err == nil {
					return named(args[0], account.ErrExists)
				}
				var password string
				var err error
				if !none {
					if password, err = source.get(a, args[0]); err != nil {
						return err
					}
				}
				added, err := v.Accounts.Add(cmd.Context(), args[0])
				if err != nil {
					return named(args[0], err)
				}
				if !none {
					if err := v.Accounts.SetPassword(cmd.Context(), added.Name, password); err != nil {
						return errors.Join(named(added.Name, err), v.RemoveAccount(cmd.Context(), added.Name))
					}
				}
				return a.tell(source, "account "+added.Name+" added", added.Name, password)
			})
		},
	}
	source.flags(cmd)
	cmd.Flags().BoolVar(&none, "no-password", false, "set none: mail is taken in, nobody can sign in")
	cmd.Flags().StringVar(&from, "from", "", "add the accounts of a `file` with lines NAME:HASH")
	return cmd
}
