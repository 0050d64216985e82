package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Chart{
		"two panels": {Title: "a < b & c", XLabel: "minutes", Panels: []Panel{
			{Label: "MiB", Series: []Series{{Name: "pss", X: []float64{0, 1, 2}, Y: []float64{10, 12, 11}}, {Name: "rss", X: []float64{0, 2}, Y: []float64{20, 22}}}},
			{Label: "count", Top: 100, Series: []Series{{Name: "n", X: []float64{0, 2}, Y: []float64{0, 0}}}},
		}},
		"decades": {Title: "t", LogX: true, Panels: []Panel{{Label: "ms", Series: []Series{
			{Name: "p50", Marks: true, X: []float64{1000, 10000, 100000}, Y: []float64{1.5, 1.625, 12345}},
		}}}},
		"one point": {Panels: []Panel{{Series: []Series{{X: []float64{3}, Y: []float64{0}}}}}},
		"nothing":   {Panels: []Panel{{}}},
	} {
		var b strings.Builder
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for dec := xml.NewDecoder(strings.NewReader(b.String())); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if s, ok := tok.(xml.CharData); ok {
				texts = append(texts, strings.TrimSpace(string(s)))
			}
		}
		all := strings.Join(texts, "|")
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("%s: a place that is no number", name)
		}
		for _, want := range []string{c.Title, c.XLabel, c.Panels[0].Label} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is not written", name, want)
			}
		}
		if name == "decades" && !strings.Contains(all, "|1,000|") || name == "decades" && !strings.Contains(all, "|12,345|") {
			t.Errorf("%s: ticks or marks are missing: %s", name, all)
		}
	}
}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ size, want float64 }{{4, 1}, {5, 2}, {30, 10}, {0.03, 0.01}, {100, 50}, {81, 50}, {80, 20}} {
		if got := step(tt.size, 4); got != tt.want {
			t.Errorf("step(%g, 4) = %g, want %g", tt.size, got, tt.want)
		}
	}
}
