package collect_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// On a server with neither UIDL nor TOP a message that cannot be retrieved has nothing but its size to be known by. That is
// enough to set it aside, and it still comes once when it can be had.
func TestMessageWithoutANameIsSetAside(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]error{
		"refused":  &collect.MessageError{Num: 2, Err: errors.New("-ERR cannot open")},
		"cut off":  errors.New("connection reset"),
		"in order": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			letters := messages(4)
			for i := range letters {
				letters[i].uid = ""
			}
			b := newBench(t, letters)
			b.box.noTop = true
			tries := 0
			b.box.retrieve = func(l letter) error {
				if l.body != letters[1].body {
					return nil
				}
				tries++
				return broken
			}
			var rep collect.Report
			for range 7 {
				rep, _ = b.tryRun()
			}
			if broken == nil {
				if rep.Failed != 0 || len(rep.SetAside) != 0 || len(b.sink.bodies) != 4 {
					t.Errorf("%+v, %d messages", rep, len(b.sink.bodies))
				}
				return
			}
			if tries != 5 || len(rep.SetAside) != 1 || rep.SetAside[0].Attempts != 5 || rep.SetAside[0].Size != int64(len(letters[1].body)) {
				t.Errorf("%d tries, set aside: %+v", tries, rep.SetAside)
			}
			if len(b.sink.bodies) != 3 {
				t.Errorf("%d messages came, want the 3 others", len(b.sink.bodies))
			}
			b.clock = b.clock.Add(24 * time.Hour)
			if _, err := b.tryRun(); tries != 6 {
				t.Errorf("%d tries after a day, %v", tries, err)
			}
			broken = nil
			b.clock = b.clock.Add(24 * time.Hour)
			for range 2 {
				rep = b.run()
			}
			if got := fmt.Sprint(len(b.sink.bodies), rep.Failed, len(rep.SetAside), rep.Fetched); got != "4 0 0 0" {
				t.Errorf("when it can be had: %s, %+v", got, rep)
			}
		})
	}
}
