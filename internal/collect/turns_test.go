package collect_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// Some messages that no sink has room for today, or on which a filter breaks each time, end a run early, but keep neither
// the others from coming nor one that failed once and would come now.
func TestFewThatAlwaysFailKeepNoOtherFromComing(t *testing.T) {
	t.Parallel()
	always := regexp.MustCompile(`Subject: [0124]\b`)
	for _, kind := range []string{"sink", "filter"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := messages(10)
			b := newBench(t, slices.Clone(all))
			if kind == "sink" {
				b.sink.begin = func(l collect.Letter) error {
					if always.Match(l.Header) {
						return &collect.TemporaryError{Err: errors.New("452 too much for today")}
					}
					return nil
				}
			} else {
				b.box.noTop = true // the filter is asked when the message comes
				b.account.Rules.Filter = func(_ context.Context, header []byte) (collect.Verdict, error) {
					if always.Match(header) {
						return 0, errors.New("out of order")
					}
					return collect.Fetch, nil
				}
			}
			once := true
			b.box.retrieve = func(l letter) error {
				if l.uid == "uid9" && once {
					once = false
					return &collect.MessageError{Num: 10, Err: errors.New("-ERR not now")}
				}
				return nil
			}
			for range 4 {
				if rep, err := b.tryRun(); err != nil && collect.Classify(err) != collect.Temporary || len(rep.SetAside) > 0 {
					t.Fatalf("%v, %+v", err, rep)
				}
			}
			b.wantBodies(append(slices.Clone(all[5:]), all[3]))
			if b.box.retrieved > 4*3+len(all) {
				t.Errorf("%d downloads in four runs", b.box.retrieved)
			}
		})
	}
}

// A message that was set aside, and whose next try fails for a sink that is down, is tried again when that is back.
func TestSinkThatIsDownDoesNotSetAsideAgain(t *testing.T) {
	t.Parallel()
	all := messages(1)
	b := newBench(t, slices.Clone(all))
	b.account.Rules.MaxAttempts = 2
	b.box.retrieve = func(letter) error { return &collect.MessageError{Num: 1, Err: errors.New("-ERR not now")} }
	b.run()
	if rep := b.run(); len(rep.SetAside) != 1 {
		t.Fatalf("%+v", rep)
	}
	b.box.retrieve = nil
	b.sink.begin = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("down")} }
	b.clock = b.clock.Add(25 * time.Hour)
	if rep := b.run(); rep.Failed != 1 || len(rep.SetAside) != 0 {
		t.Errorf("with a sink that is down: %+v", rep)
	}
	b.sink.begin = nil
	if rep := b.run(); rep.Fetched != 1 {
		t.Errorf("when it is back: %+v", rep)
	}
}
