package main

import (
	"strings"
	"testing"
)

// samplesOf returns 30 samples with the goroutines that f says.
func samplesOf(f func(i int) int) (out []Sample) {
	for i := range 30 {
		out = append(out, Sample{PSS: 50 << 10, Heap: 20 << 10, Goroutines: f(i), Descriptors: 80})
	}
	return out
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	idle := Sample{Goroutines: 20, Descriptors: 30}
	good := Report{Minutes: 30, Mail: Account{Accepted: 3, Deleted: 1, Left: 2}, Before: idle, After: idle}
	for _, tt := range []struct {
		name, want string
		change     func(*Report)
	}{
		{"flat", "", func(r *Report) { r.Samples = samplesOf(func(int) int { return 200 }) }},
		{"warming up", "", func(r *Report) { r.Samples = samplesOf(func(i int) int { return min(200, 20*i) }) }},
		{"a leak", "goroutines is not flat", func(r *Report) { r.Samples = samplesOf(func(i int) int { return 100 + 4*i }) }},
		{"a leak that is too short to be seen", "", func(r *Report) {
			r.Minutes, r.Samples = 1, samplesOf(func(i int) int { return 100 + 4*i })
		}},
		{"descriptors left over", "left over", func(r *Report) { r.After.Descriptors += slackDescriptors + 1 }},
		{"goroutines left over", "left over", func(r *Report) { r.After.Goroutines += slackGoroutines + 1 }},
		{"a connection left over", "left over", func(r *Report) { r.After.Connections = 1 }},
		{"a message too many", "do not add up", func(r *Report) { r.Mail.Left++ }},
		{"no mail at all", "do not add up", func(r *Report) { r.Mail = Account{} }},
	} {
		r := good
		r.Samples = samplesOf(func(int) int { return 200 })
		tt.change(&r)
		r.judge()
		got := strings.Join(r.Faults, "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
