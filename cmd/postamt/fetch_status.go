package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// A fetchStatus is how an account is, as JSON. Times are null for never.
type fetchStatus struct {
	Account    string     `json:"account"`
	Server     string     `json:"server,omitempty"`
	User       string     `json:"user,omitempty"`
	Configured bool       `json:"configured"`
	State      string     `json:"state"` // "never run", "ok", or what the last error asks for
	LastRun    *time.Time `json:"last_run"`
	LastOK     *time.Time `json:"last_ok"`
	NextRun    *time.Time `json:"next_run"`
	Alarm      *time.Time `json:"alarm"` // since when one stands
	Failures   int        `json:"failures"`
	Error      string     `json:"error,omitempty"`
	Listed     int        `json:"listed"`
	Fetched    int64      `json:"fetched"`
	Octets     int64      `json:"octets"`
	Deleted    int64      `json:"deleted"`
	Remembered int        `json:"remembered"`
	Waiting    int        `json:"waiting"`
	SetAside   int        `json:"set_aside"`
	Deleting   int        `json:"deleting"`
	// Tokens of OAuth that the account needs.
	Tokens []fetchToken `json:"tokens,omitempty"`
}

func newFetchStatus(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show each account's last and next run, what was fetched, and the last error",
		Long: `Status shows what the journal knows; nothing is connected. The next run is known where postamt serve or postamt fetch
--daemon runs. Accounts that are not in the configuration any more are shown until postamt fetch forget.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			v, loaded, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = v.Close() }()
			journal, err := collect.NewJournal(cmd.Context(), v.Catalog)
			if err != nil {
				return err
			}
			known, err := journal.Statuses(cmd.Context())
			if err != nil {
				return err
			}
			all, err := fetchStatuses(loaded.Fetch, known, args)
			if err != nil {
				return err
			}
			for i := range all {
				if f, err := fetchNamed(&loaded.Config, all[i].Account); err == nil {
					all[i].Tokens = a.tokenStates(cmd.Context(), &loaded.Config, f)
				}
			}
			if asJSON {
				return a.printJSON(all)
			}
			if len(all) == 0 {
				return a.print("there is nothing to fetch; postamt fetch add EMAIL adds an account, see postamt fetch --help\n")
			}
			return a.fetchStatusTable(all)
		},
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// fetchStatuses joins the configuration with what the journal knows, first what is configured.
func fetchStatuses(configured []config.Fetch, known []collect.Status, names []string) ([]fetchStatus, error) {
	all := []fetchStatus{}
	var there []string
	for _, f := range configured {
		s := collect.Status{Account: f.Name}
		if i := slices.IndexFunc(known, func(s collect.Status) bool { return s.Account == f.Name }); i >= 0 {
			s = known[i]
		}
		one := newStatus(s)
		server := f.Server()
		one.Configured, one.Server, one.User = true, server.Host, server.User
		all, there = append(all, one), append(there, f.Name)
	}
	for _, s := range known {
		if !slices.Contains(there, s.Account) {
			all, there = append(all, newStatus(s)), append(there, s.Account)
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.Contains(there, name) {
			return nil, usage("%w", &office.UnknownFetchError{Name: name, Known: there})
		}
	}
	return slices.DeleteFunc(all, func(s fetchStatus) bool { return !slices.Contains(names, s.Account) }), nil
}

func newStatus(s collect.Status) fetchStatus {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	state := s.Class.String()
	if s.Started.IsZero() {
		state = "never run"
	}
	return fetchStatus{
		Account: s.Account, State: state, LastRun: at(s.Started), LastOK: at(s.Succeeded), NextRun: at(s.Next), Alarm: at(s.Alarmed),
		Failures: s.Failures, Error: plainly(s.Error), Listed: s.Listed, Fetched: s.Fetched, Octets: s.Octets, Deleted: s.Deleted,
		Remembered: s.Remembered, Waiting: s.Waiting, SetAside: s.SetAside, Deleting: s.Deleting,
	}
}

func (a *app) fetchStatusTable(all []fetchStatus) error {
	t := terminal.Table{
		Header: []string{"account", "state", "last run", "next run", "there", "fetched", "size", "deleted", "waiting", "set aside"},
		Right:  []int{4, 5, 6, 7, 8, 9},
	}
	for _, s := range all {
		state := s.State
		switch {
		case s.Alarm != nil:
			state = "ALARM"
		case !s.Configured:
			state = "not configured"
		}
		t.Rows = append(t.Rows, []string{
			s.Account, state, when(s.LastRun, "never"), when(s.NextRun, "-"), strconv.Itoa(s.Listed), strconv.FormatInt(s.Fetched, 10),
			terminal.FormatOctets(s.Octets), strconv.FormatInt(s.Deleted, 10), strconv.Itoa(s.Waiting), strconv.Itoa(s.SetAside),
		})
	}
	if err := a.table(t); err != nil {
		return err
	}
	for _, s := range all {
		for _, t := range s.Tokens {
			if err := a.print("%s\n", plainLine(t.line(s.Account))); err != nil {
				return err
			}
		}
		if s.Error == "" {
			continue
		}
		last := "never worked"
		if s.LastOK != nil {
			last = "worked last at " + when(s.LastOK, "")
		}
		if err := a.print("%s: %s (%s, %s)\n", s.Account, plainLine(s.Error), "failed "+count(s.Failures, "time")+" in a row", last); err != nil {
			return err
		}
	}
	return nil
}
