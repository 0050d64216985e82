package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
)

// A dry run tells what stays for good from what a later run looks at again.
func TestFetchPlanTellsLeaveFromLater(t *testing.T) {
	t.Parallel()
	plans := []office.FetchPlan{{Account: "isp", Decisions: []collect.Decision{
		{Remote: collect.Remote{Num: 1, UID: "a", Size: 1000}, Action: collect.ActionFetch, Reason: "new", Delete: true},
		{Remote: collect.Remote{Num: 2, UID: "b", Size: 1000}, Action: collect.ActionSkip, Reason: "filter says leave"},
		{Remote: collect.Remote{Num: 3, UID: "c", Size: 1000}, Action: collect.ActionLater, Reason: "filter failed: out of order"},
	}}}
	show, out, _ := newTestShow(fetchFlags{})
	if err := show.app.fetchPlan(plans, fetchFlags{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"account message size action why", "isp 1 1000 B fetch, delete new", "isp 2 1000 B leave filter says leave",
		"isp 3 1000 B not now filter failed: out of order",
		"would fetch 1 (1000 B), delete 1, leave 1, leave 1 for a later run, nothing to do for 0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	out.Reset()
	if err := show.app.fetchPlan(plans, fetchFlags{asJSON: true}); err != nil || !strings.Contains(out.String(), `"action": "later"`) {
		t.Errorf("%v: %s", err, out)
	}
}
