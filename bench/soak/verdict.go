package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/bench/internal/chart"
)

// A Report is what is written at the end.
type Report struct {
	Date     string  `json:"date"`
	Minutes  float64 `json:"minutes"`
	Sessions int64   `json:"sessions"`
	Fetched  int64   `json:"messages_fetched"`
	Octets   int64   `json:"octets_fetched"`
	HalfOpen int64   `json:"half_open_handshakes"`
	Guesses  int64   `json:"wrong_guesses"`
	Reloads  int64   `json:"reloads"`
	Accounts int64   `json:"accounts_added_and_removed"`
	InUse    int64   `json:"in_use_retries"`
	Mail     Account `json:"mail"`

	Flat   []Flat   `json:"flat"`
	Before Sample   `json:"idle_before"`
	After  Sample   `json:"idle_after"`
	Faults []string `json:"faults"`

	Samples []Sample `json:"samples"`
}

// Flat compares the mean of the last third of the time under load with that of the second third. The first third is for
// warming up: caches fill, and the first deleted messages reach the end of the time in which they can be brought back.
type Flat struct {
	What    string  `json:"what"`
	Second  float64 `json:"second_third"`
	Last    float64 `json:"last_third"`
	Allowed float64 `json:"allowed"`
	OK      bool    `json:"ok"`
}

// measures are what must be flat: the last third may have share more than the second, and some more for noise.
var measures = []struct {
	what        string
	of          func(Sample) float64
	share, some float64
}{
	{"PSS, MiB", func(m Sample) float64 { return float64(m.PSS) / 1024 }, 0.05, 2},
	{"heap in use, MiB", func(m Sample) float64 { return float64(m.Heap) / 1024 }, 0.10, 2},
	{"goroutines", func(m Sample) float64 { return float64(m.Goroutines) }, 0.05, 5},
	{"descriptors", func(m Sample) float64 { return float64(m.Descriptors) }, 0.05, 5},
	{"write-ahead log, MiB", func(m Sample) float64 { return float64(m.Log) / 1024 }, 0.10, 4},
}

// slack is how many goroutines and descriptors more than before the load may be there once it has ended: connections to
// the catalog are opened when they are first needed and then kept, each with up to four files.
const (
	slackGoroutines  = 4
	slackDescriptors = 12
)

func flat(samples []Sample) (out []Flat) {
	n := len(samples) / 3
	for _, m := range measures {
		mean := func(part []Sample) (sum float64) {
			for _, s := range part {
				sum += m.of(s)
			}
			return sum / float64(max(1, len(part)))
		}
		f := Flat{What: m.what, Second: mean(samples[n : 2*n]), Last: mean(samples[len(samples)-n:])}
		f.Allowed = f.Second*(1+m.share) + m.some
		f.OK = f.Last <= f.Allowed
		out = append(out, f)
	}
	return out
}

// calm tells whether what the load held was given back.
func calm(before, after Sample) bool {
	return after.Goroutines <= before.Goroutines+slackGoroutines && after.Descriptors <= before.Descriptors+slackDescriptors && after.Connections == 0
}

// leastForFlat is how long the load must last for its thirds to mean something, in minutes.
const leastForFlat = 2

func (r *Report) judge() {
	if r.Minutes >= leastForFlat {
		r.Flat = flat(r.Samples)
	}
	for _, f := range r.Flat {
		if !f.OK {
			r.Faults = append(r.Faults, fmt.Sprintf("%s is not flat: %.1f in the second third, %.1f in the last, %.1f allowed", f.What, f.Second, f.Last, f.Allowed))
		}
	}
	if !calm(r.Before, r.After) {
		r.Faults = append(r.Faults, fmt.Sprintf("left over after the load: %d goroutines (%d before it), %d descriptors (%d), %d connections",
			r.After.Goroutines, r.Before.Goroutines, r.After.Descriptors, r.Before.Descriptors, r.After.Connections))
	}
	if r.Mail.Accepted != r.Mail.Deleted+r.Mail.Left || r.Mail.Accepted == 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("messages do not add up: %+v", r.Mail))
	}
}

// String is the report for people, in Markdown.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f minutes of load: %d sessions, %d messages fetched and checked (%.2f GB), %d reloads, %d accounts added and removed, %d half-open handshakes, %d wrong guesses\n\n",
		r.Minutes, r.Sessions, r.Fetched, float64(r.Octets)/1e9, r.Reloads, r.Accounts, r.HalfOpen, r.Guesses)
	fmt.Fprintf(&b, "%d messages accepted = %d deleted + %d still there; %d were cut before the reply and not taken\n\n", r.Mail.Accepted, r.Mail.Deleted, r.Mail.Left, r.Mail.Cut)
	if len(r.Flat) > 0 {
		b.WriteString("| mean of | second third | last third | allowed |\n| --- | --- | --- | --- |\n")
	}
	for _, f := range r.Flat {
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.1f |\n", f.What, f.Second, f.Last, f.Allowed)
	}
	fmt.Fprintf(&b, "\nbefore the load and after it: %d and %d goroutines, %d and %d descriptors\n",
		r.Before.Goroutines, r.After.Goroutines, r.Before.Descriptors, r.After.Descriptors)
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "FAULT: %s\n", f)
	}
	return b.String()
}

// curves draws the samples.
func (r *Report) curves() chart.Chart {
	x := make([]float64, len(r.Samples))
	for i, m := range r.Samples {
		x[i] = m.Seconds / 60
	}
	line := func(name string, of func(Sample) float64) chart.Series {
		s := chart.Series{Name: name, X: x, Y: make([]float64, len(x))}
		for i, m := range r.Samples {
			s.Y[i] = of(m)
		}
		return s
	}
	return chart.Chart{
		Title:  fmt.Sprintf("Postamt under mixed load for %.0f minutes", r.Minutes),
		Note:   fmt.Sprintf("%d sessions, %d messages in, %d fetched and checked, %d deleted; %s", r.Sessions, r.Mail.Accepted, r.Fetched, r.Mail.Deleted, r.Date),
		XLabel: "minutes",
		Panels: []chart.Panel{
			{Label: "memory, MiB", Series: []chart.Series{
				line("PSS", func(m Sample) float64 { return float64(m.PSS) / 1024 }),
				line("heap in use", func(m Sample) float64 { return float64(m.Heap) / 1024 }),
			}},
			{Label: "goroutines", Series: []chart.Series{
				line("goroutines", func(m Sample) float64 { return float64(m.Goroutines) }),
				line("connections", func(m Sample) float64 { return float64(m.Connections) }),
			}},
			{Label: "open descriptors", Series: []chart.Series{line("", func(m Sample) float64 { return float64(m.Descriptors) })}},
			{Label: "catalog, MiB", Series: []chart.Series{
				line("write-ahead log", func(m Sample) float64 { return float64(m.Log) / 1024 }),
				line("catalog", func(m Sample) float64 { return float64(m.Catalog) / 1024 }),
			}},
		},
	}
}

// write writes the JSON and the picture; an empty name is left out.
func (r *Report) write(jsonFile, svgFile string) error {
	if jsonFile != "" {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(jsonFile), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if svgFile == "" {
		return nil
	}
	return r.curves().WriteFile(svgFile)
}
