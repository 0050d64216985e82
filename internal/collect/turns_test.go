package collect_test

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
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

// A hasty mailbox ends the session when a long message is not read to its end.
type hasty struct{ *mailbox }

func (h hasty) Open(ctx context.Context) (collect.Session, error) {
	s, err := h.mailbox.Open(ctx)
	if err != nil {
		return nil, err
	}
	return hastySession{s.(*fakeSession)}, nil
}

type hastySession struct{ *fakeSession }

func (s hastySession) Retrieve(ctx context.Context, m collect.Remote) (io.ReadCloser, error) {
	body, err := s.fakeSession.Retrieve(ctx, m)
	return hastyBody{body, s.fakeSession, m.Size}, err
}

type hastyBody struct {
	io.ReadCloser
	session *fakeSession
	size    int64
}

func (b hastyBody) Close() error {
	if n, err := io.Copy(io.Discard, b.ReadCloser); err != nil || n == 0 || b.size <= 8<<20 {
		return err
	}
	b.session.dead = errors.New("closed in the midst of a message")
	return b.session.dead
}

// A long message that ends each session does not keep the others from being deleted, and is tried again and again itself,
// although there is something to delete in each run.
func TestLongMessageThatFailsKeepsNothingFromBeingDeleted(t *testing.T) {
	t.Parallel()
	all := messages(30)
	all[0].size = 9 << 20
	all[0].body += strings.Repeat("x", 1<<16)
	b := newBench(t, slices.Clone(all[:5]))
	b.account.Source, b.account.Rules.Delete = hasty{b.box}, true
	tried := 0
	b.sink.begin = func(l collect.Letter) error {
		if l.UID != "uid0" {
			return nil
		}
		tried++
		return &collect.TemporaryError{Err: errors.New("452 too much for today")}
	}
	const runs = 20
	for n := range runs {
		before := len(b.box.letters)
		if _, err := b.tryRun(); collect.Classify(err) != collect.Temporary {
			t.Fatalf("run %d: %v", n, err)
		}
		if n%2 == 1 {
			b.wantUIDs("uid0")
		} else if len(b.box.letters) != before {
			t.Errorf("run %d: something was deleted in a session that was lost", n)
		}
		b.box.letters = append(b.box.letters, all[5+n]) // something new each time
	}
	if tried != runs/2 {
		t.Errorf("the long one was tried %d times in %d runs", tried, runs)
	}
	b.sink.begin = nil
	for range 2 {
		_, _ = b.tryRun()
	}
	b.wantUIDs()
	b.wantBodies(all[:5+runs])
}
