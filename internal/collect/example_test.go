package collect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
)

// openExample makes a journal in a folder that is removed afterwards.
func openExample() (*collect.Journal, func()) {
	folder, err := os.MkdirTemp("", "collect")
	if err != nil {
		panic(err)
	}
	db, err := catalog.Open(context.Background(), filepath.Join(folder, "journal.db"), catalog.Options{})
	if err != nil {
		panic(err)
	}
	journal, err := collect.NewJournal(context.Background(), db)
	if err != nil {
		panic(err)
	}
	return journal, func() {
		_ = db.Close()
		_ = os.RemoveAll(folder)
	}
}

// The second run fetches nothing: the journal knows what was fetched. Real accounts have a pop3source.Source and sinks of
// package sink.
func ExampleRun() {
	journal, done := openExample()
	defer done()
	account := collect.Account{
		Name:   "home",
		Source: &mailbox{letters: messages(3)},
		Sinks:  []collect.Sink{&shelf{name: "shelf"}},
		Rules:  collect.Rules{SkipAbove: 10 << 20},
	}
	for range 2 {
		report, err := collect.Run(context.Background(), account, collect.Options{Journal: journal})
		fmt.Println(report.Listed, "listed,", report.Fetched, "fetched", err)
	}
	// Output:
	// 3 listed, 3 fetched <nil>
	// 3 listed, 0 fetched <nil>
}

func ExamplePlan() {
	journal, done := openExample()
	defer done()
	big := message(1)
	big.size = 20 << 20
	account := collect.Account{
		Name:   "home",
		Source: &mailbox{letters: []letter{message(0), big}},
		Sinks:  []collect.Sink{&shelf{name: "shelf"}},
		Rules:  collect.Rules{Delete: true, SkipAbove: 10 << 20},
	}
	plan, err := collect.Plan(context.Background(), account, collect.Options{Journal: journal})
	if err != nil {
		fmt.Println(err)
	}
	for _, d := range plan {
		fmt.Println(d.UID, d.Action, d.Delete, "-", d.Reason)
	}
	// Output:
	// uid0 fetch true - new
	// uid1 skip false - larger than 10485760 octets
}

func ExampleSchedule() {
	journal, done := openExample()
	defer done()
	schedule := &collect.Schedule{
		Accounts: []collect.Account{{
			Name:     "home",
			Source:   &mailbox{letters: messages(3)},
			Sinks:    []collect.Sink{&shelf{name: "shelf"}},
			Interval: 10 * time.Minute,
		}},
		Options: collect.Options{Journal: journal},
		Done: func(a collect.Account, r collect.Report, err error) {
			fmt.Println(a.Name, r.Fetched, err)
		},
	}
	if err := schedule.Once(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: home 3 <nil>
}
