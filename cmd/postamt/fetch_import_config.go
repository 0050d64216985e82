package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/movein"
	"github.com/postamt/postamt/internal/terminal"
)

type importConfig struct {
	from   string
	to     string
	dryRun bool
	yes    bool
}

func newFetchImportConfig(a *app) *cobra.Command {
	var f importConfig
	cmd := &cobra.Command{
		Use:   "import-config FILE",
		Short: "Take over the accounts of another collector",
		Long: `Import-config reads the configuration of fetchmail (~/.fetchmailrc), getmail (getmailrc) or mpop (~/.mpoprc), and adds a
[[fetch]] for each of its accounts. What cannot be carried over is said in a comment above it. Passwords that stand in the
file go into files of their own, which nobody else may read, in the folder secrets beside the configuration.

After that, postamt fetch import-state takes over what was fetched already.`,
		Example: `  postamt fetch import-config ~/.fetchmailrc --dry-run
  postamt fetch import-config ~/.fetchmailrc --to store:bob`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.importConfig(cmd.Context(), args[0], f) },
	}
	cmd.Flags().StringVar(&f.from, "from", "", "whose `program` it is: fetchmail, getmail or mpop (default: by the file's name)")
	cmd.Flags().StringVar(&f.to, "to", "", "where the mail goes, in place of what the file says, as `DESTINATION` of a [[fetch]]")
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "print what would be added; change nothing")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) importConfig(_ context.Context, path string, f importConfig) error {
	program := movein.Program(f.from)
	if program == "" {
		program = configProgram(path)
	}
	if !slices.Contains(movein.Configured, program) {
		return usage("whose configuration %s is cannot be told: say --from with one of %v; for another program, postamt fetch add EMAIL writes the account",
			path, movein.Configured)
	}
	file, err := os.Open(path)
	if err != nil {
		return failure("the other collector's configuration cannot be read: %w", err)
	}
	accounts, err := movein.ReadConfig(program, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return failure("%s: %w", path, err)
	}
	if len(accounts) == 0 {
		return failure("%s has no account in it", path)
	}
	for i := range accounts { // all before the first is written: a second try would find that one taken
		account := &accounts[i]
		if f.to != "" {
			account.To = []string{f.to}
		}
		if len(account.To) == 0 {
			return usage("%s: its destination cannot be taken over (%s): say with --to where the mail goes",
				account.Name, strings.Join(account.Lost, "; "))
		}
	}
	target := a.fetchTarget()
	for i := range accounts {
		if err := a.importAccount(&accounts[i], program, target, f); err != nil {
			return err
		}
	}
	if f.dryRun {
		return a.print("nothing was written\n")
	}
	return a.print("next, for each of them: postamt fetch import-state NAME FILE; then postamt fetch --dry-run\n")
}

// fetchTarget is the configuration file that a [[fetch]] is added to.
func (a *app) fetchTarget() string {
	if a.configPath != "" {
		return a.configPath
	}
	if path := os.Getenv("POSTAMT_CONFIG"); path != "" {
		return path
	}
	if loaded, err := config.Load(""); err == nil && loaded.Path != "" {
		return loaded.Path
	}
	return "postamt.toml"
}

func (a *app) importAccount(account *movein.Account, program movein.Program, target string, f importConfig) error {
	source := account.Source
	if source == "" {
		source = "prompt"
		if account.Password != "" {
			source = "file:secrets/" + account.Name + ".password"
		}
	}
	plan, err := config.PlanFetch(target, account.Text(program, source))
	if err != nil {
		return err
	}
	if err := a.print("%s", plan.Diff()); err != nil || f.dryRun {
		return err
	}
	if !f.yes {
		sure, err := a.notes.Confirm(fmt.Sprintf("Add %s?", account.Name))
		if errors.Is(err, terminal.ErrNoTerminal) {
			return usage("there is nobody to ask whether this is right: say --yes")
		}
		if err != nil || !sure {
			return err
		}
	}
	undo := func() error { return nil }
	if account.Password != "" && account.Source == "" {
		secret := filepath.Join(filepath.Dir(plan.Path), "secrets", account.Name+".password")
		if err := config.WriteSecret(secret, account.Password); err != nil {
			return err
		}
		undo = func() error { return os.Remove(secret) }
	}
	if err := plan.Write(); err != nil {
		return errors.Join(err, undo())
	}
	return nil
}

// configProgram tells by its name, or by that of its folder (~/.config/mpop/config), whose configuration a file is.
func configProgram(path string) movein.Program {
	for _, name := range []string{filepath.Base(path), filepath.Base(filepath.Dir(path))} {
		for _, p := range movein.Configured {
			if strings.Contains(name, string(p)) {
				return p
			}
		}
	}
	return ""
}
