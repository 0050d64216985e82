package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// app is what all commands share.
type app struct {
	in        io.Reader
	out, errs io.Writer

	// term is standard output for people (tables), notes is standard error (progress).
	term, notes *terminal.Terminal

	configPath string
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "postamt",
		Short: "A post office: mail in over LMTP, kept safe, out over POP3",
		Long: `Postamt takes mail in over LMTP (from Postfix, Exim and others), keeps it safe in one folder, and hands it
out over POP3.

Try it:   postamt demo
Run it:   postamt account add bob; postamt serve

` + exitHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// Cobra looks at this later, and its error would not be one about the command line.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", "",
		"configuration `file` (default: $POSTAMT_CONFIG, ./postamt.toml, /etc/postamt/postamt.toml, or none)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run it:"},
		&cobra.Group{ID: "accounts", Title: "Accounts:"},
		&cobra.Group{ID: "mail", Title: "Mail:"},
		&cobra.Group{ID: "care", Title: "Look after it:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", newDemo(a), newServe(a), newFetch(a), newReload(a))
	add("accounts", newAccount(a))
	add("mail", newDeliver(a), newImport(a), newExport(a), newUndelete(a))
	add("care", newConfig(a), newStore(a), newVersion(a))
	root.AddCommand(newMan(a, root))
	sayExitStatus(root)
	return root
}

// sayExitStatus completes the help and the man page of each command that does not explain its own statuses.
func sayExitStatus(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		sayExitStatus(c)
	}
	if cmd.HasSubCommands() || strings.Contains(cmd.Long, "Exit status") {
		return
	}
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += "\n\n" + "Exit status: 0 done, 1 not done (standard error says why), 2 wrong command line."
}

// read reads the configuration: the file that is found first, and from then on that same one. So a reload says that it
// is gone, in place of taking over another one or the defaults.
func (a *app) read() (*config.Loaded, error) {
	l, err := config.Load(a.configPath)
	if err == nil && l.Path != "" {
		a.configPath = l.Path
	}
	return l, err
}

// load reads the configuration and prints what is unwise in it.
func (a *app) load() (*config.Loaded, error) {
	l, err := a.read()
	if err != nil {
		return nil, err
	}
	for _, w := range l.Warnings {
		_, _ = fmt.Fprintf(a.errs, "postamt: warning: %s\n", w)
	}
	return l, nil
}

// open opens the data folder. It works beside a running daemon.
func (a *app) open(ctx context.Context) (*office.Vault, *config.Loaded, error) {
	l, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	v, err := office.OpenVault(ctx, &l.Config)
	return v, l, err
}

// withVault runs fn on the open data folder and closes it.
func (a *app) withVault(ctx context.Context, fn func(*office.Vault) error) error {
	v, _, err := a.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(v), v.Close())
}

// checkFlags refuses flags that exclude each other.
func checkFlags(cmd *cobra.Command) error {
	err := cmd.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	text := err.Error()
	if _, list, ok := strings.Cut(text, "; ["); ok { // "...; [daemon dry-run] were all set"
		list, _, _ = strings.Cut(list, "]")
		text = "--" + strings.Join(strings.Fields(list), " and --") + " do not go together"
	}
	return usage("%s; see %s --help", text, cmd.CommandPath())
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s does not know %q", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		text += fmt.Sprintf(", did you mean %q?", similar[0])
	}
	return usage("%s; see %s --help", text, cmd.CommandPath())
}

// exactly wants as many arguments as there are names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s wants %s; see %s --help", cmd.CommandPath(), names[len(args)], cmd.CommandPath())
		case len(args) > len(names):
			return usage("%s: %q is too much; see %s --help", cmd.CommandPath(), args[len(names)], cmd.CommandPath())
		}
		if i := slices.Index(args, ""); i >= 0 { // a variable of a script that is not set
			return usage("%s: %s is empty; see %s --help", cmd.CommandPath(), names[i], cmd.CommandPath())
		}
		return nil
	}
}

// table writes a table to standard output.
func (a *app) table(t terminal.Table) error {
	if err := a.term.Print(t); err != nil {
		return failure("standard output cannot be written: %w", err)
	}
	return nil
}

// print writes to standard output. A full disk or a closed pipe there is an error like any other.
func (a *app) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.out, format, args...); err != nil {
		return failure("standard output cannot be written: %w", err)
	}
	return nil
}
