package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A summary is the table.
type summary struct {
	Meta map[string]string `json:"meta"`
	Rows []row             `json:"lines"`
}

// A row has a line's figures; nil is a target (or a group of them) that was not asked.
type row struct {
	Line    string             `json:"line"`
	Unit    string             `json:"unit"`
	Spec    string             `json:"spec"`
	Dovecot *figure            `json:"best_dovecot,omitempty"`
	Other   *figure            `json:"best_other,omitempty"`
	Postamt *figure            `json:"postamt,omitempty"`
	Target  string             `json:"target,omitempty"`
	Reached string             `json:"reached"` // yes, no, failed, or - where there is no target or nothing to compare
	Times   float64            `json:"times_as_good_as_dovecot,omitempty"`
	All     map[string]float64 `json:"medians,omitempty"`
	Failed  map[string]string  `json:"failed,omitempty"` // by target: the first error
}

// A figure is the median of a target's rounds, or Failed.
type figure struct {
	Target string  `json:"target"`
	Value  float64 `json:"value,omitempty"`
	Rounds int     `json:"rounds"`
	Failed bool    `json:"failed,omitempty"`
}

func summarize(res results) summary {
	s := summary{Meta: res.meta}
	for _, l := range lines {
		if byTarget := res.runs[l.spec]; len(byTarget) > 0 {
			s.Rows = append(s.Rows, l.row(res, byTarget))
		}
	}
	return s
}

func (l line) row(res results, byTarget map[string][]run) row {
	r := row{Line: l.name, Unit: l.unit, Spec: l.spec, All: map[string]float64{}, Failed: map[string]string{}}
	for _, target := range slices.Sorted(maps.Keys(byTarget)) {
		f, why := l.figure(res, target, byTarget[target])
		if f.Failed {
			r.Failed[target] = why
		} else {
			r.All[target] = f.Value
		}
		switch {
		case target == "postamt":
			r.Postamt = &f
		case strings.HasPrefix(target, "dovecot"):
			r.Dovecot = l.better(r.Dovecot, &f)
		default:
			r.Other = l.better(r.Other, &f)
		}
	}
	l.judge(&r)
	return r
}

func (l line) figure(res results, target string, runs []run) (f figure, why string) {
	f = figure{Target: target, Rounds: len(runs)}
	values := make([]float64, 0, len(runs))
	for _, r := range runs {
		v, ok := l.value(res, r)
		if r.Errors > 0 || !ok {
			f.Failed = true
			return f, firstError(r)
		}
		values = append(values, v)
	}
	f.Value = median(values)
	return f, ""
}

func firstError(r run) string {
	for _, text := range slices.Sorted(maps.Keys(r.ErrorTexts)) {
		return text
	}
	return "no figure"
}

// better returns the better of two figures; any is better than one that failed.
func (l line) better(a, b *figure) *figure {
	switch {
	case a == nil || a.Failed && !b.Failed:
		return b
	case b.Failed || (b.Value > a.Value) != l.more:
		return a
	}
	return b
}

// judge says what the target is and whether it is reached.
func (l line) judge(r *row) {
	r.Reached = "-"
	if l.atMost > 0 {
		r.Target = "<= " + number(l.atMost)
	} else if l.times > 0 {
		r.Target = ">= " + number(l.times) + " x Dovecot"
	}
	if r.Postamt == nil {
		return
	}
	if r.Postamt.Failed {
		r.Reached = "failed"
		return
	}
	if r.Dovecot != nil && !r.Dovecot.Failed {
		r.Times = r.Dovecot.Value / r.Postamt.Value
		if l.more {
			r.Times = r.Postamt.Value / r.Dovecot.Value
		}
	}
	switch {
	case l.atMost > 0 && r.Postamt.Value <= l.atMost, l.times > 0 && r.Times >= l.times:
		r.Reached = "yes"
	case l.atMost > 0, l.times > 0 && r.Times > 0:
		r.Reached = "no"
	}
}

func (s summary) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s.", s.Meta["date"], s.Meta["machine"])
	if v := s.Meta["versions"]; v != "" {
		fmt.Fprintf(&b, " %s.", v)
	}
	if v := s.Meta["rounds"]; v != "" {
		fmt.Fprintf(&b, " Rounds: %s of %s each, medians.", v, s.Meta["duration"])
	}
	b.WriteString("\n\n| line | unit | best Dovecot | best other | Postamt | target | reached |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	var failed []string
	for _, r := range s.Rows {
		reached := r.Reached
		if strings.Contains(r.Target, "Dovecot") && r.Times > 0 {
			reached += " (" + number(r.Times) + " x)"
		}
		target := r.Target
		if target == "" {
			target = "-"
		}
		postamt := "-"
		if r.Postamt != nil {
			postamt = r.Postamt.cell("postamt")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.Line, r.Unit, r.Dovecot.cell(""), r.Other.cell(""), postamt, target, reached)
		for _, t := range slices.Sorted(maps.Keys(r.Failed)) {
			failed = append(failed, fmt.Sprintf("- %s, %s: %s\n", r.Spec, t, clip(r.Failed[t])))
		}
	}
	if len(failed) > 0 {
		b.WriteString("\nFailed:\n\n" + strings.Join(slices.Compact(failed), ""))
	}
	return b.String()
}

// cell is the figure with its target's name, unless that is what the column is about.
func (f *figure) cell(column string) string {
	switch {
	case f == nil:
		return "-"
	case f.Failed:
		return "failed"
	case f.Target == column:
		return number(f.Value)
	}
	return number(f.Value) + " (" + strings.TrimPrefix(f.Target, "dovecot-") + ")"
}

// number has three significant digits, but no fewer than the whole ones.
func number(v float64) string {
	digits := 0
	for limit := 100.0; v < limit && digits < 3; limit /= 10 {
		digits++
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// clip makes an error text fit into a line of Markdown.
func clip(s string) string {
	s = strings.NewReplacer("\n", " ", "|", "/", "`", "'").Replace(s)
	return "`" + s[:min(len(s), 160)] + "`"
}
