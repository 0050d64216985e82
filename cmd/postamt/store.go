package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newStore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Check the store, and sweep it",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreCheck(a), newStoreSweep(a))
	return cmd
}

func newStoreCheck(a *app) *cobra.Command {
	var repair, fast, asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare the catalog with the bodies",
		Long: `Check reads the catalog and every body and compares sizes, digests and facts. It works while the daemon runs.
Exit status: 0 all is well or was mended, 1 there are problems left.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return a.withVault(ctx, func(v *office.Vault) error {
				return a.check(ctx, v, mailstore.CheckOptions{Repair: repair, Digests: !fast}, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what is safe to mend; what would lose mail is reported and left alone")
	cmd.Flags().BoolVar(&fast, "fast", false, "do not read the bodies, compare only that they are there and how large")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) check(ctx context.Context, v *office.Vault, opt mailstore.CheckOptions, asJSON bool) error {
	if asJSON {
		a.notes.Quiet()
	}
	var bar *terminal.Progress
	opt.Progress = func(done, total int) {
		if bar == nil {
			bar = a.notes.Progress("checking", int64(total), terminal.Messages)
		}
		bar.Set(int64(done))
	}
	report, err := v.Store.Check(ctx, opt)
	if bar != nil {
		bar.Done()
	}
	if err != nil {
		return err
	}
	left := 0
	for _, p := range report.Problems {
		if !p.Repaired {
			left++
		}
	}
	names, err := owners(ctx, v, report)
	switch {
	case err != nil:
		return err
	case asJSON:
		err = a.printReportJSON(report, names, left)
	default:
		err = a.printReport(report, names, left)
	}
	if err == nil && left > 0 {
		err = errShown
	}
	return err
}

// owners returns the names of the accounts whose maildrops have problems: a person knows no others.
func owners(ctx context.Context, v *office.Vault, report mailstore.Report) (map[mailstore.DropID]string, error) {
	names := make(map[mailstore.DropID]string)
	for _, p := range report.Problems {
		names[p.Drop] = ""
	}
	if len(names) == 0 {
		return nil, nil
	}
	for acc, err := range v.Accounts.All(ctx) {
		if err != nil {
			return nil, err
		}
		if _, wanted := names[mailstore.DropID(acc.ID)]; wanted {
			names[mailstore.DropID(acc.ID)] = acc.Name
		}
	}
	return names, nil
}

func (a *app) printReport(report mailstore.Report, names map[mailstore.DropID]string, left int) error {
	if len(report.Problems) > 0 {
		t := terminal.Table{Header: []string{"problem", "account", "unique-id", "mended", "what"}}
		for _, p := range report.Problems {
			mended := "no"
			if p.Repaired {
				mended = "yes"
			}
			account := names[p.Drop]
			if account == "" && p.Drop != 0 {
				account = fmt.Sprintf("(removed, maildrop %d)", p.Drop)
			}
			t.Rows = append(t.Rows, []string{string(p.Kind), account, p.UID, mended, p.Detail})
		}
		if err := a.table(t); err != nil {
			return err
		}
	}
	verdict := a.term.Good("all is well")
	switch {
	case left > 0:
		verdict = a.term.Bad(count(left, "problem") + " left")
	case len(report.Problems) > 0:
		verdict = a.term.Good("all problems were mended")
	}
	return a.print("%s in %s, %s: %s\n", count(report.Messages, "message"), count(report.Drops, "maildrop"),
		terminal.FormatOctets(report.Octets), verdict)
}

func (a *app) printReportJSON(report mailstore.Report, names map[mailstore.DropID]string, left int) error {
	type problem struct {
		Kind     string `json:"kind"`
		Drop     int64  `json:"maildrop,omitempty"`
		Account  string `json:"account,omitempty"` // none if it was removed
		UID      string `json:"uid,omitempty"`
		Detail   string `json:"detail"`
		Repaired bool   `json:"repaired"`
	}
	problems := make([]problem, 0, len(report.Problems))
	for _, p := range report.Problems {
		problems = append(problems, problem{string(p.Kind), int64(p.Drop), names[p.Drop], p.UID, p.Detail, p.Repaired})
	}
	return a.printJSON(struct {
		Drops    int       `json:"maildrops"`
		Messages int       `json:"messages"`
		Octets   int64     `json:"octets"`
		Left     int       `json:"left"`
		Problems []problem `json:"problems"`
	}{report.Drops, report.Messages, report.Octets, left, problems})
}

func newStoreSweep(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "sweep",
		Short: "Remove for good what was deleted before the undelete window",
		Long:  "The daemon does this by itself (store.sweep_interval).",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return a.withVault(ctx, func(v *office.Vault) error {
				r, err := v.Store.Sweep(ctx)
				if err != nil {
					return err
				}
				return a.print("%s swept, %s freed\n", fmt.Sprintf("%s and %d bodies", count(r.Messages, "message"), r.Bodies), terminal.FormatOctets(r.Octets))
			})
		},
	}
}
