package collect_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// An alive is a mailbox whose sessions note when they are kept alive.
type alive struct {
	*mailbox
	begun time.Time
	at    []time.Duration
}

func (a *alive) Open(ctx context.Context) (collect.Session, error) {
	s, err := a.mailbox.Open(ctx)
	return &aliveSession{s, a}, err
}

type aliveSession struct {
	collect.Session
	box *alive
}

func (s *aliveSession) KeepAlive(context.Context) error {
	s.box.at = append(s.box.at, time.Since(s.box.begun))
	return nil
}

// While a sink or a filter takes its time, the server hears of us every two minutes, and not otherwise (C-040).
func TestSessionIsKeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, messages(3))
		b.opt.Now = nil
		box := &alive{mailbox: b.box, begun: time.Now()}
		b.account.Source = box
		b.account.Rules.Filter = func(_ context.Context, header []byte) (collect.Verdict, error) {
			time.Sleep(3 * time.Minute)
			return collect.Fetch, nil
		}
		b.sink.commit = func(l collect.Letter) error {
			if l.UID == "uid1" {
				time.Sleep(5 * time.Minute)
			}
			return nil
		}
		if rep := b.run(); rep.Fetched != 3 {
			t.Errorf("%+v", rep)
		}
		want := []time.Duration{2 * time.Minute, 5 * time.Minute, 8 * time.Minute, 11 * time.Minute, 13 * time.Minute}
		if !slices.Equal(box.at, want) {
			t.Errorf("kept alive after %v, want %v", box.at, want)
		}
	})
}
