package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

type loginFlags struct {
	device, paste, to bool
	timeout           time.Duration
}

func newFetchLogin(a *app) *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Sign in at the provider of an account that takes tokens in place of a password",
		Long: `Login gets a token for a [[fetch]] account with oauth, and keeps it; postamt fetch and the daemon then renew it by
themselves. It prints an address to be opened in a browser on this machine and waits until the browser comes back. Where
there is no browser, --paste takes one on another machine, whose address line is pasted here at the end, and --device a code
that is typed in there, if the provider has that. Run it as the user that fetches.

With flow = "client" or "command" nobody signs in; login then says whether a token can be had.`,
		Example: "  postamt fetch login work\n  postamt fetch login --device work",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), f.timeout, errors.New("nobody signed in in time, begin anew"))
			defer cancel()
			tokens, err := a.fetchTokens(args[0], f.to)
			if err != nil {
				return err
			}
			for _, t := range tokens {
				if err := a.fetchLogin(ctx, t, f); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&f.device, "device", false, "sign in with a code on another device")
	cmd.Flags().BoolVar(&f.paste, "paste", false, "sign in with a browser on another machine, and paste its address here")
	cmd.Flags().BoolVar(&f.to, "to", false, "only for the destination, not for where mail comes from")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long to wait for it")
	cmd.MarkFlagsMutuallyExclusive("device", "paste")
	return cmd
}

func newFetchLogout(a *app) *cobra.Command {
	var to bool
	cmd := &cobra.Command{
		Use:   "logout NAME",
		Short: "Give the token of an account back to its provider, and remove it here",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tokens, err := a.fetchTokens(args[0], to)
			if err != nil {
				return err
			}
			for _, t := range tokens {
				revoked, err := t.Source.Logout(cmd.Context())
				switch {
				case err != nil:
					return fmt.Errorf("%s: %w", tokenName(t), err)
				case revoked:
					err = a.print("%s: the token is given back and removed\n", tokenName(t))
				default:
					err = a.print("%s: the token is removed here; the provider's page for the account shows what it still grants\n", tokenName(t))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&to, "to", false, "only of the destination, not of where mail comes from")
	return cmd
}

// fetchTokens returns the tokens of an account, at least one.
func (a *app) fetchTokens(name string, toOnly bool) ([]office.FetchToken, error) {
	loaded, err := a.load()
	if err != nil {
		return nil, err
	}
	f, err := fetchNamed(&loaded.Config, name)
	if err != nil {
		return nil, err
	}
	all, err := office.FetchTokens(&loaded.Config, f, a.askPassword)
	if err != nil {
		return nil, err
	}
	var some []office.FetchToken
	for _, t := range all {
		if t.Destination || !toOnly {
			some = append(some, t)
		}
	}
	if len(some) == 0 {
		return nil, usage("%s needs no token: its [[fetch]] has no oauth, see docs/oauth.md", name)
	}
	return some, nil
}

// tokenName is what a token is called here.
func tokenName(t office.FetchToken) string {
	if t.Destination {
		return t.Account + " (destination)"
	}
	return t.Account
}

func (a *app) fetchLogin(ctx context.Context, t office.FetchToken, f loginFlags) error {
	name, err := tokenName(t), error(nil)
	switch {
	case t.Flow == "client" || t.Flow == "command":
		if _, err := t.Source.Token(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return a.print("%s: nobody needs to sign in, a token can be had\n", name)
	case f.paste:
		err = t.Source.LoginPaste(ctx, a.showPaste(name), a.readPasted)
	case f.device || t.Flow == "device":
		ctx, stop := interruptible(ctx)
		defer stop()
		err = t.Source.LoginDevice(ctx, a.showDevice(name))
	default:
		ctx, stop := interruptible(ctx)
		defer stop()
		err = t.Source.LoginBrowser(ctx, a.showAddress(name))
	}
	if err != nil {
		return fmt.Errorf("%s is not signed in: %w", name, err)
	}
	st, err := t.Source.State(ctx)
	switch {
	case err != nil:
		return err
	case !st.Renewable && st.ValidUntil.IsZero():
		return a.print("%s is signed in\n", name)
	case !st.Renewable:
		return a.print("%s is signed in until %s; the provider gave no token to renew that with (for most of them, scopes needs \"offline_access\")\n",
			name, when(&st.ValidUntil, ""))
	}
	return a.print("%s is signed in, the token will be renewed by itself\n", name)
}

func (a *app) showAddress(name string) func(string) error {
	return func(address string) error {
		return a.print("Sign in for %s: open this address in a browser on this machine.\n\n  %s\n\n"+
			"Waiting for the browser to come back. Without a browser here press Ctrl-C, and take --paste or --device.\n", name, address)
	}
}

func (a *app) showPaste(name string) func(string) error {
	return func(address string) error {
		return a.print("Sign in for %s: open this address in a browser anywhere.\n\n  %s\n\n"+
			"At the end the browser shows a code, or goes to a page that cannot be shown. Paste the code, or all of that page's address:\n", name, address)
	}
}

// readPasted reads a line. It is not cut short by a context: whoever is at the terminal can press Ctrl-C.
func (a *app) readPasted(context.Context) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(a.in, 16<<10)).ReadString('\n')
	if line == "" && err != nil {
		return "", errors.New("nothing was pasted")
	}
	return line, nil
}

func (a *app) showDevice(name string) func(oauth.DevicePrompt) error {
	return func(p oauth.DevicePrompt) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Sign in for %s: on any device, open\n\n  %s\n\nand type in this code:\n\n  %s\n\n", name, terminal.Printable(p.Address), a.term.Bold(terminal.Printable(p.Code)))
		if p.Complete != "" {
			fmt.Fprintf(&b, "or open this address, which has it already:\n\n  %s\n\n", terminal.Printable(p.Complete))
		}
		fmt.Fprintf(&b, "Waiting, for %s at most.\n", count(p.Minutes, "minute"))
		return a.print("%s", b.String())
	}
}

// A fetchToken is how a token is, as JSON.
type fetchToken struct {
	OAuth       string     `json:"oauth"`
	Destination bool       `json:"destination"`
	SignedIn    bool       `json:"signed_in"`
	ValidUntil  *time.Time `json:"valid_until"` // null if not known
	Renewable   bool       `json:"renewable"`
	NeedsLogin  bool       `json:"needs_login"`
	Error       string     `json:"error,omitempty"`
}

// tokenStates returns how the tokens of an account are.
func (a *app) tokenStates(ctx context.Context, cfg *config.Config, f *config.Fetch) []fetchToken {
	tokens, err := office.FetchTokens(cfg, f, nil)
	if err != nil {
		return []fetchToken{{OAuth: f.OAuth, NeedsLogin: true, Error: err.Error()}}
	}
	var all []fetchToken
	for _, t := range tokens {
		one := fetchToken{OAuth: t.OAuth, Destination: t.Destination}
		st, err := t.Source.State(ctx)
		if err != nil {
			one.Error = err.Error()
		} else {
			one.SignedIn, one.Renewable, one.NeedsLogin, one.Error = st.SignedIn, st.Renewable, st.NeedsLogin, st.Why
			if !st.ValidUntil.IsZero() {
				one.ValidUntil = &st.ValidUntil
			}
		}
		all = append(all, one)
	}
	return all
}

// line says how a token is.
func (t *fetchToken) line(account string) string {
	what := account + ": token"
	if t.Destination {
		what += " of the destination"
	}
	switch {
	case t.NeedsLogin && t.Error != "":
		return fmt.Sprintf("%s: somebody has to sign in, %s; run: postamt fetch login %s", what, t.Error, account)
	case t.Error != "":
		return what + ": " + t.Error
	case t.ValidUntil == nil:
		return what + ": there, its end is not known"
	case t.Renewable:
		return what + ": good until " + when(t.ValidUntil, "") + ", then renewed"
	}
	return what + ": good until " + when(t.ValidUntil, "") + ", then somebody has to sign in"
}
