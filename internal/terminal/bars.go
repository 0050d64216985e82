package terminal

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBars is how many bars are drawn at the same time; the others wait until one of these ends.
const maxBars = 16

// Bars show how far several things are that go on at the same time: on a terminal a bar each, one below the other, and
// lines of text above them; elsewhere plain lines now and then. They may be used concurrently. The Terminal must not be
// written to otherwise until they are closed.
type Bars struct {
	t *Terminal

	mu     sync.Mutex
	live   []*Bar
	drawn  int // lines of bars on the terminal; the cursor is below them
	hidden bool
	shown  time.Time
}

// A Bar is one of Bars. It is used by one goroutine at a time.
type Bar struct {
	bars *Bars
	p    Progress
}

// Bars begins to show.
func (t *Terminal) Bars() *Bars { return &Bars{t: t} }

// Bar adds a bar for work of a total (0 for unknown).
func (b *Bars) Bar(label string, total int64, unit Unit) *Bar {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.t.now()
	bar := &Bar{bars: b, p: Progress{
		t: b.t, label: Printable(label), total: max(total, 0), unit: unit, start: now, shown: now, sampled: now,
	}}
	b.live = append(b.live, bar)
	b.paint()
	return bar
}

// Total changes what the whole work is.
func (r *Bar) Total(total int64) {
	r.bars.mu.Lock()
	defer r.bars.mu.Unlock()
	r.p.total = max(total, 0)
}

// Set says how much is done.
func (r *Bar) Set(done int64) {
	b := r.bars
	b.mu.Lock()
	defer b.mu.Unlock()
	r.p.done = max(done, 0)
	if b.t.quiet || r.p.ended {
		return
	}
	now := b.t.now()
	r.p.measure(now)
	switch {
	case b.t.Interactive() && now.Sub(b.shown) >= redraw:
		b.paint()
	case !b.t.Interactive() && now.Sub(r.p.shown) >= reportEvery:
		r.p.report(now)
	}
}

// Summary returns what is done, the time it took, and the rate.
func (r *Bar) Summary() string {
	r.bars.mu.Lock()
	defer r.bars.mu.Unlock()
	return r.p.summary()
}

// Done takes the bar away and leaves a line of text in its place, with its label in front; none if the text is empty.
func (r *Bar) Done(text string) {
	b := r.bars
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.p.ended {
		return
	}
	r.p.ended = true
	if i := slices.Index(b.live, r); i >= 0 {
		b.live = slices.Delete(b.live, i, i+1)
	}
	if text != "" {
		text = r.p.label + ": " + text
	}
	b.say(text)
}

// Say writes a line of text above the bars.
func (b *Bars) Say(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.say(text)
}

// Hide takes the bars away until Unhide, for somebody else who writes to the terminal.
func (b *Bars) Hide() { b.hide(true) }

// Unhide shows the bars again.
func (b *Bars) Unhide() { b.hide(false) }

func (b *Bars) hide(hidden bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hidden = hidden
	b.paint()
}

// Close takes all bars away.
func (b *Bars) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = nil
	b.paint()
}

func (b *Bars) say(text string) {
	if b.t.quiet {
		return
	}
	var out strings.Builder
	b.wipe(&out)
	if text != "" {
		out.WriteString(Printable(text) + "\n")
	}
	b.draw(&out)
	fmt.Fprint(b.t.out, out.String())
}

// paint draws the bars over the last ones.
func (b *Bars) paint() {
	if b.t.quiet || !b.t.Interactive() {
		return
	}
	var out strings.Builder
	b.wipe(&out)
	b.draw(&out)
	fmt.Fprint(b.t.out, out.String())
}

// wipe goes back to where the bars begin, and clears what is below.
func (b *Bars) wipe(out *strings.Builder) {
	if b.drawn > 0 {
		fmt.Fprintf(out, "\x1b[%dA\r\x1b[J", b.drawn)
	}
	b.drawn = 0
}

func (b *Bars) draw(out *strings.Builder) {
	if !b.t.Interactive() || b.hidden {
		return
	}
	b.shown = b.t.now()
	for _, r := range b.live[:min(len(b.live), maxBars)] {
		out.WriteString(r.p.line() + "\n")
		b.drawn++
	}
}
