package main

import (
	"fmt"
	"strconv"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// A fetchDecision is what would be done with a message, as JSON.
type fetchDecision struct {
	Account string `json:"account"`
	Num     int    `json:"num"`
	UID     string `json:"uid"`
	Size    int64  `json:"size"`
	Action  string `json:"action"` // "fetch", "delete", "discard", "skip", "later" or "none"
	Delete  bool   `json:"delete"` // from the server; with "fetch", afterwards
	Reason  string `json:"reason"`
}

// fetchPlan prints what would be done.
func (a *app) fetchPlan(plans []office.FetchPlan, f fetchFlags) error {
	all := []fetchDecision{}
	status := exitOK
	var octets int64
	var deleted int // with those that are fetched before
	count := make(map[collect.Action]int)
	for _, p := range plans {
		if p.Err != nil {
			_, _ = fmt.Fprintf(a.errs, "postamt: %s: %s\n", p.Account, plainLine(explainFetch(p.Err)))
			if collect.Classify(p.Err) == collect.Permanent {
				status = exitFailed
			} else if status == exitOK {
				status = exitFetchLater
			}
			continue
		}
		for _, d := range p.Decisions {
			count[d.Action]++
			if d.Action == collect.ActionFetch {
				octets += max(d.Size, 0)
			}
			gone := d.Delete || d.Action == collect.ActionDelete || d.Action == collect.ActionDiscard
			if gone {
				deleted++
			}
			all = append(all, fetchDecision{p.Account, d.Num, d.UID, d.Size, d.Action.String(), gone, d.Reason})
		}
	}
	var err error
	switch {
	case f.asJSON:
		err = a.printJSON(all)
	case !f.quiet:
		err = a.fetchTable(all, count, octets, deleted)
	}
	if err == nil && status != exitOK {
		err = &exitError{status, errShown}
	}
	return err
}

func (a *app) fetchTable(all []fetchDecision, count map[collect.Action]int, octets int64, deleted int) error {
	t := terminal.Table{Header: []string{"account", "message", "size", "action", "why"}, Right: []int{1, 2}}
	for _, d := range all {
		if d.Action == collect.ActionNone.String() {
			continue
		}
		action := d.Action
		switch {
		case d.Action == collect.ActionDiscard.String():
			action = "delete unseen"
		case d.Action == collect.ActionSkip.String():
			action = "leave"
		case d.Action == collect.ActionLater.String():
			action = "not now"
		case d.Action == collect.ActionFetch.String() && d.Delete:
			action = "fetch, delete"
		}
		t.Rows = append(t.Rows, []string{d.Account, strconv.Itoa(d.Num), terminal.FormatOctets(d.Size), action, d.Reason})
	}
	if len(t.Rows) > 0 {
		if err := a.table(t); err != nil {
			return err
		}
	}
	later := ""
	if n := count[collect.ActionLater]; n > 0 {
		later = fmt.Sprintf(" leave %d for a later run,", n)
	}
	return a.print("would fetch %d (%s), delete %d, leave %d,%s nothing to do for %d\n", count[collect.ActionFetch], terminal.FormatOctets(octets),
		deleted, count[collect.ActionSkip], later, count[collect.ActionNone])
}
