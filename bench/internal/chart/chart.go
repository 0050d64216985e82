// Package chart draws figures as light SVG line charts: panels one below the other that share the x axis.
package chart

import (
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// A Chart is one picture.
type Chart struct {
	Title  string
	Note   string // a line below the title
	XLabel string
	LogX   bool // decades; every X must be positive
	Panels []Panel
}

// A Panel has a y axis of its own, which begins at 0.
type Panel struct {
	Label  string // what is drawn, with its unit
	Series []Series
	// Top is the least that the y axis reaches; 0 means what the data needs.
	Top float64
}

// A Series is one line. X goes up; X and Y have the same length.
type Series struct {
	Name string
	X, Y []float64
	// Marks draws a dot and the value at each point: for a few points.
	Marks bool
}

const (
	width       = 860.0
	left, right = 64.0, 24.0
	head, foot  = 64.0, 44.0
	panel, gap  = 110.0, 46.0
)

// colors stay apart for those who see fewer of them (Okabe and Ito), and on white.
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// Write draws c.
func (c Chart) Write(w io.Writer) error {
	var b strings.Builder
	height := head + foot + float64(len(c.Panels))*(panel+gap) - gap + 18
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n", width, height, html.EscapeString(c.Title))
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#ffffff"/>` + "\n")
	b.WriteString(`<g font-family="system-ui,'Segoe UI','DejaVu Sans',sans-serif" font-size="12" fill="#38434f">` + "\n")
	text(&b, left, 26, `font-size="16" font-weight="600" fill="#1b242d"`, c.Title)
	text(&b, left, 44, "", c.Note)
	lo, hi := c.span()
	x := func(v float64) float64 {
		if c.LogX {
			v = math.Log10(v)
		}
		return left + (v-lo)/(hi-lo)*(width-left-right)
	}
	top := head + 18
	for _, p := range c.Panels {
		p.draw(&b, top, c.xTicks(lo, hi), x)
		top += panel + gap
	}
	bottom := top - gap
	for _, t := range c.xTicks(lo, hi) {
		text(&b, x(t), bottom+16, `text-anchor="middle"`, number(t))
	}
	text(&b, (left+width-right)/2, bottom+34, `text-anchor="middle"`, c.XLabel)
	b.WriteString("</g>\n</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteFile draws c into a file.
func (c Chart) WriteFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(c.Write(f), f.Close())
}

// span is what the x axis covers, in decades if it is logarithmic.
func (c Chart) span() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, p := range c.Panels {
		for _, s := range p.Series {
			for _, v := range s.X {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if c.LogX {
		return math.Log10(lo) - 0.1, math.Log10(hi) + 0.1
	}
	if !(lo < hi) { // nothing, or one point
		return 0, 1
	}
	return lo, hi
}

func (c Chart) xTicks(lo, hi float64) (ticks []float64) {
	if c.LogX {
		for e := math.Ceil(lo); e <= hi; e++ {
			ticks = append(ticks, math.Pow(10, e))
		}
		return ticks
	}
	s := step(hi-lo, 10)
	for v := math.Ceil(lo/s) * s; v <= hi+s/1e6; v += s {
		ticks = append(ticks, v)
	}
	return ticks
}

func (p Panel) draw(b *strings.Builder, top float64, xTicks []float64, x func(float64) float64) {
	most := p.Top
	for _, s := range p.Series {
		for _, v := range s.Y {
			most = max(most, v)
		}
	}
	if most == 0 {
		most = 1
	}
	s := step(most, 4)
	most = math.Ceil(most/s-1e-9) * s
	y := func(v float64) float64 { return top + panel - v/most*panel }
	text(b, left, top-10, `font-weight="600"`, p.Label)
	for v := 0.0; v <= most+s/1e6; v += s {
		fmt.Fprintf(b, `<path d="M%g %.1fH%g" stroke="#e3e8ed"/>`+"\n", left, y(v), width-right)
		text(b, left-8, y(v)+4, `text-anchor="end"`, number(v))
	}
	for _, t := range xTicks {
		fmt.Fprintf(b, `<path d="M%.1f %.1fv%g" stroke="#eef1f4"/>`+"\n", x(t), top, panel)
	}
	at := width - right
	for i := len(p.Series) - 1; i >= 0; i-- { // the legend, from the right
		s := p.Series[i]
		color := colors[i%len(colors)]
		text(b, at, top-10, fmt.Sprintf(`text-anchor="end" fill="%s"`, color), s.Name)
		at -= 7.2*float64(len(s.Name)) + 16
	}
	for i, s := range p.Series {
		color := colors[i%len(colors)]
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.6" stroke-linejoin="round" d="`, color)
		for j := range s.X {
			fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(j, 1)], x(s.X[j]), y(s.Y[j]))
		}
		b.WriteString(`"/>` + "\n")
		for j := range s.X {
			if s.Marks {
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.2" fill="%s"/>`+"\n", x(s.X[j]), y(s.Y[j]), color)
				text(b, x(s.X[j]), y(s.Y[j])-8, fmt.Sprintf(`text-anchor="middle" font-size="11" fill="%s"`, color), number(s.Y[j]))
			}
		}
	}
}

// step is a round distance (1, 2 or 5 times a power of ten) that divides size into at most n parts.
func step(size float64, n int) float64 {
	least := size / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(least)))
	for _, f := range []float64{1, 2, 5} {
		if f*p >= least*(1-1e-9) {
			return f * p
		}
	}
	return 10 * p
}

// number writes a value with three digits, and thousands apart.
func number(v float64) string {
	if math.Abs(v) < 1000 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func text(b *strings.Builder, x, y float64, attrs, s string) {
	if attrs != "" {
		attrs = " " + attrs
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f"%s>%s</text>`+"\n", x, y, attrs, html.EscapeString(s))
}
