package terminal

import (
	"fmt"
	"strings"
	"time"
)

// A Unit is what a Progress counts.
type Unit int

// The units.
const (
	Octets Unit = iota
	Messages
)

const (
	// redraw is how often a bar moves at most.
	redraw = 100 * time.Millisecond
	// reportEvery is how often a line is written where there is no terminal.
	reportEvery = 10 * time.Second
	// rateWindow is the time over which the rate is smoothed.
	rateWindow = 5 * time.Second
)

// A Progress shows how far some work is. It is used by one goroutine, which calls Done at the end.
type Progress struct {
	t     *Terminal
	label string
	total int64 // 0 for unknown
	unit  Unit

	done    int64
	start   time.Time
	shown   time.Time // when the bar or line was last written
	sampled time.Time // when the rate was last looked at, and where we were then
	sample  int64
	rate    float64 // per second
	ended   bool
}

// Progress begins to show work of a total (0 for unknown).
func (t *Terminal) Progress(label string, total int64, unit Unit) *Progress {
	now := t.now()
	p := &Progress{t: t, label: Printable(label), total: max(total, 0), unit: unit, start: now, shown: now, sampled: now}
	if t.Interactive() && !t.quiet {
		p.draw(now)
	}
	return p
}

// Add says that n more are done.
func (p *Progress) Add(n int64) { p.Set(p.done + n) }

// Set says how many are done.
func (p *Progress) Set(done int64) {
	p.done = max(done, 0)
	if p.t.quiet || p.ended {
		return
	}
	now := p.t.now()
	p.measure(now)
	switch since := now.Sub(p.shown); {
	case p.t.Interactive() && since >= redraw:
		p.draw(now)
	case !p.t.Interactive() && since >= reportEvery:
		p.report(now)
	}
}

// Done ends the progress with a last line. Later calls do nothing.
func (p *Progress) Done() {
	if p.t.quiet || p.ended {
		return
	}
	p.ended = true
	start := ""
	if p.t.Interactive() {
		start = "\r\x1b[K"
	}
	fmt.Fprintf(p.t.out, "%s%s: %s\n", start, p.label, p.summary())
}

// summary returns "8.0 MiB in 3s, 2.6 MiB/s".
func (p *Progress) summary() string {
	took := p.t.now().Sub(p.start)
	text := fmt.Sprintf("%s in %s", p.amount(p.done), clock(took))
	if s := took.Seconds(); s >= 1 {
		text += fmt.Sprintf(", %s/s", p.amount(int64(float64(p.done)/s)))
	}
	return text
}

// measure keeps a smoothed rate, from samples at least a redraw apart.
func (p *Progress) measure(now time.Time) {
	since := now.Sub(p.sampled)
	if since < redraw {
		return
	}
	rate := float64(p.done-p.sample) / since.Seconds()
	weight := min(1, since.Seconds()/rateWindow.Seconds())
	if p.rate == 0 {
		weight = 1
	}
	p.rate += weight * (rate - p.rate)
	p.sampled, p.sample = now, p.done
}

// draw writes the bar over the last one.
func (p *Progress) draw(now time.Time) {
	p.shown = now
	fmt.Fprintf(p.t.out, "\r%s\x1b[K", p.line())
}

// line returns the bar, shorter than the terminal is wide: the last column makes some terminals go to the next line.
func (p *Progress) line() string {
	left, right := p.label+" ", " "+p.status()
	width := p.t.width() - 1
	line := left
	if room := width - len([]rune(left)) - len([]rune(right)) - 2; p.total > 0 && room >= 5 {
		room = min(room, 40)
		full := int(float64(room) * p.share())
		line += "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "]"
	}
	return shorten(line+right, width)
}

func (p *Progress) report(now time.Time) {
	p.shown = now
	fmt.Fprintf(p.t.out, "%s: %s\n", p.label, p.status())
}

// status returns "45%  3.6 MiB of 8.0 MiB  1.2 MiB/s  4s left".
func (p *Progress) status() string {
	var b strings.Builder
	if p.total > 0 {
		fmt.Fprintf(&b, "%d%%  %s of %s", int(100*p.share()), p.amount(p.done), p.amount(p.total))
	} else {
		b.WriteString(p.amount(p.done))
	}
	if p.rate > 0 {
		fmt.Fprintf(&b, "  %s/s", p.amount(int64(p.rate)))
		if left := float64(p.total - p.done); left > 0 {
			fmt.Fprintf(&b, "  %s left", clock(time.Duration(min(left/p.rate, 1e6)*float64(time.Second))))
		}
	}
	return b.String()
}

func (p *Progress) share() float64 { return min(1, float64(p.done)/float64(p.total)) }

func (p *Progress) amount(n int64) string {
	if p.unit == Octets {
		return FormatOctets(n)
	}
	return fmt.Sprint(n)
}

// FormatOctets returns a number of octets for people: "812 B", "8.0 KiB", "3.5 GiB".
func FormatOctets(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v /= 1024; v < 999.95 {
			return fmt.Sprintf("%.1f %s", v, unit)
		}
	}
	return fmt.Sprintf("%.1f PiB", v/1024)
}

// clock returns a time for people: "450ms", "12s", "3m05s", "2h07m".
func clock(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// shorten cuts s to so many characters.
func shorten(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	if width <= 3 {
		return string(r[:max(width, 0)])
	}
	return string(r[:width-3]) + "..."
}
