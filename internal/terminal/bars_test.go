package terminal

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shows plays what was written on a screen, and returns its lines. It knows the sequences that Bars use.
func shows(out string) []string {
	lines, row, col := []string{""}, 0, 0
	for out != "" {
		switch {
		case strings.HasPrefix(out, "\x1b["):
			var n int
			if _, err := fmt.Sscanf(out, "\x1b[%dA", &n); err == nil {
				row -= n
				out = out[strings.IndexByte(out, 'A')+1:]
				continue
			}
			if strings.HasPrefix(out, "\x1b[J") {
				lines = lines[:row+1]
				lines[row] = lines[row][:col]
			}
			out = out[3:]
			continue
		case out[0] == '\n':
			row, col = row+1, 0
			if row == len(lines) {
				lines = append(lines, "")
			}
		case out[0] == '\r':
			col = 0
		default:
			lines[row] = lines[row][:col] + out[:1]
			col++
		}
		out = out[1:]
	}
	return lines
}

func TestBars(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	term, out, now := screen(60)
	bars := term.Bars()
	a := bars.Bar("isp", 4*mib, Octets)
	b := bars.Bar("work\x1b[2J", 0, Octets)
	*now = now.Add(time.Second)
	a.Set(2 * mib)
	b.Total(10 * mib)
	b.Set(mib) // too early to be drawn
	want := func(lines ...string) {
		t.Helper()
		if diff := cmp.Diff(append(lines, ""), shows(out.String())); diff != "" {
			t.Errorf("the screen (-want +got)\n%s", diff)
		}
	}
	want("isp [====     ] 50%  2.0 MiB of 4.0 MiB  2.0 MiB/s  1s left", "work?[2J  0 B")
	*now = now.Add(time.Second)
	b.Set(5 * mib)
	bars.Say("work: something odd")
	want("work: something odd", "isp [====     ] 50%  2.0 MiB of 4.0 MiB  2.0 MiB/s  1s left",
		"work?[2J  50%  5.0 MiB of 10.0 MiB  1.6 MiB/s  3s left")
	a.Set(4 * mib)
	a.Done("7 messages, " + a.Summary())
	a.Done("again")
	want("work: something odd", "isp: 7 messages, 4.0 MiB in 2s, 2.0 MiB/s", "work?[2J  50%  5.0 MiB of 10.0 MiB  1.6 MiB/s  3s left")
	bars.Hide()
	want("work: something odd", "isp: 7 messages, 4.0 MiB in 2s, 2.0 MiB/s")
	bars.Unhide()
	want("work: something odd", "isp: 7 messages, 4.0 MiB in 2s, 2.0 MiB/s", "work?[2J  50%  5.0 MiB of 10.0 MiB  1.6 MiB/s  3s left")
	bars.Close()
	want("work: something odd", "isp: 7 messages, 4.0 MiB in 2s, 2.0 MiB/s")
}

func TestBarsInAFile(t *testing.T) {
	t.Parallel()
	term, out, now := screen(0)
	bars := term.Bars()
	a := bars.Bar("isp", 1000, Octets)
	*now = now.Add(9 * time.Second)
	a.Set(100)
	*now = now.Add(time.Second)
	a.Set(200)
	bars.Say("a line")
	a.Done("done")
	bars.Close()
	want := "isp: 20%  200 B of 1000 B  28 B/s  27s left\na line\nisp: done\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBarsQuiet(t *testing.T) {
	t.Parallel()
	term, out, _ := screen(80)
	term.Quiet()
	bars := term.Bars()
	a := bars.Bar("isp", 1000, Octets)
	a.Set(100)
	bars.Say("a line")
	a.Done("done")
	bars.Close()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

// There are never more bars than fit, and many may move at the same time.
func TestBarsAreBounded(t *testing.T) {
	t.Parallel()
	term, out, _ := screen(40)
	bars := term.Bars()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			bar := bars.Bar(fmt.Sprint(i), 10, Messages)
			bar.Set(5)
		})
	}
	all.Wait()
	if n := len(shows(out.String())) - 1; n != maxBars {
		t.Errorf("%d bars are shown, want %d", n, maxBars)
	}
}
