package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newUndelete(a *app) *cobra.Command {
	var since string
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "undelete USER",
		Short: "Bring back mail that was deleted lately",
		Long: `Undelete brings deleted messages back into the maildrop of USER, with their old unique-ids, so that mail programs that
keep copies do not fetch them twice. How long it can is set by store.undelete_window.`,
		Example: "  postamt undelete --since 3h --dry-run bob\n  postamt undelete --since 2026-11-20 bob",
		Args:    exactly("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := parseSince(since, time.Now())
			if err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(v *office.Vault) error {
				found, err := v.Accounts.Lookup(cmd.Context(), args[0])
				if err != nil {
					return named(args[0], err)
				}
				drop := mailstore.DropID(found.ID)
				if dryRun {
					return a.listDeleted(cmd.Context(), v, drop, from, asJSON)
				}
				n, err := v.Store.Undelete(cmd.Context(), drop, from)
				if err != nil {
					return err
				}
				if asJSON {
					return a.printJSON(map[string]int{"undeleted": n})
				}
				return a.print("%s brought back for %s\n", count(n, "message"), found.Name)
			})
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only what was deleted since: a `time` ago (3h, 2d) or a date (2026-11-20, 2026-11-20T14:00:00+01:00)")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "list what would come back, and change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) listDeleted(ctx context.Context, v *office.Vault, drop mailstore.DropID, from time.Time, asJSON bool) error {
	deleted, err := v.Store.Deleted(ctx, drop, from)
	if err != nil {
		return err
	}
	if asJSON {
		type message struct {
			UID      string    `json:"uid"`
			Octets   int64     `json:"octets"`
			Sender   string    `json:"sender"`
			Received time.Time `json:"received"`
			Deleted  time.Time `json:"deleted"`
			Until    time.Time `json:"until"`
		}
		all := make([]message, 0, len(deleted))
		for _, m := range deleted {
			all = append(all, message{m.Info.UID, m.Info.Size, m.Info.Sender, m.Info.Received, m.Deleted, m.Until})
		}
		return a.printJSON(all)
	}
	if len(deleted) == 0 {
		return a.print("there is nothing to bring back\n")
	}
	t := terminal.Table{Header: []string{"deleted", "until", "received", "size", "from", "unique-id"}, Right: []int{3}}
	for _, m := range deleted {
		t.Rows = append(t.Rows, []string{
			when(&m.Deleted, ""), when(&m.Until, ""), when(&m.Info.Received, ""), terminal.FormatOctets(m.Info.Size), m.Info.Sender, m.Info.UID,
		})
	}
	if err := a.table(t); err != nil {
		return err
	}
	return a.print("%s would be brought back; without --dry-run they are\n", count(len(deleted), "message"))
}

// parseSince reads a time ago or a date. Empty is the zero time: everything.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := config.ParseDuration(s); err == nil {
		return now.Add(-time.Duration(ago)), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--since: %q is neither a time ago (3h, 2d) nor a date (2026-11-20)", s)
}

// count returns "1 message", "2 messages".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
