package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/storetest"
)

// A body that cannot be buried leaves the others of its batch alone: nobody would find them again.
func TestBuryGoesOn(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(t.Context(), t.TempDir()+"/catalog.db", catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	fsys, err := faultfs.New(t.TempDir() + "/bodies")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), cat, body.NewDisk(fsys, body.Options{}), t.TempDir()+"/locks", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var r reaper
	for range 3 {
		w, err := s.bodies.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		r.bodies = append(r.bodies, deadBody{id: id, octets: 10})
	}
	fsys.Set(faultfs.Plan{At: 1, Err: syscall.EIO})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var res mailstore.SweepResult
	if err := s.bury(ctx, &r, &res); !errors.Is(err, syscall.EIO) || res.Bodies != 2 || res.Octets != 20 {
		t.Errorf("%+v, %v, want two of three buried", res, err)
	}
}

// gated opens a store in dir whose bodies are not durable before the gate is open. It must be called in a bubble.
func gated(t *testing.T, dir string, opt Options) (*Store, *faultfs.Gate) {
	t.Helper()
	cat, err := catalog.Open(t.Context(), dir+"/catalog.db", catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := body.Dir(dir + "/bodies")
	if err != nil {
		t.Fatal(err)
	}
	gate := faultfs.NewGate(fsys)
	s, err := Open(t.Context(), cat, body.NewDisk(gate, body.Options{}), dir+"/locks", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), cat.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, gate
}

// together delivers texts to maildrop 1 and opens the gate: the first is alone, the others share a file.
func together(t *testing.T, s *Store, gate *faultfs.Gate, texts ...string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, text := range texts {
		wg.Go(func() {
			if _, err := tryDeliver(s, text, 1); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	close(gate.Open)
	wg.Wait()
}

// A body that shares its file may belong to a delivery that has no row yet: whatever becomes of the others meanwhile, it
// stays.
func TestBundleKeepsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *Store){
		"account removed": func(t *testing.T, s *Store) {
			if err := s.Remove(t.Context(), 1); err != nil {
				t.Error(err)
			}
		},
		"deleted and swept": func(t *testing.T, s *Store) {
			d := mustOpen(t, s, 1)
			if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{0, 1}}); err != nil {
				t.Error(err)
			}
			mustClose(t, d)
			time.Sleep(time.Second)
			if r, err := s.Sweep(t.Context()); err != nil || r.Bodies != 2 {
				t.Errorf("Sweep: %+v, %v", r, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, gate := gated(t, t.TempDir(), Options{UndeleteWindow: -1})
				// Somebody else's has come as far as this when the others are lost. It is the last to join the bundle.
				var id body.ID
				var wg sync.WaitGroup
				for i := range 3 {
					wg.Go(func() {
						if i < 2 {
							if _, err := tryDeliver(s, "hello\r\n", 1); err != nil {
								t.Error(err)
							}
							return
						}
						w, err := s.bodies.Create(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						if _, err := io.WriteString(w, "hello\r\n"); err != nil {
							t.Error(err)
						}
						if id, _, err = w.Finish(); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				close(gate.Open)
				wg.Wait()
				if !id.Bundled() {
					t.Fatal("it is alone, so this test proves nothing")
				}
				lose(t, s)
				l, err := s.bodies.Load(t.Context(), id, 7)
				if err != nil {
					t.Fatalf("the body of a delivery in progress is gone: %v", err)
				}
				_ = l.Close()
			})
		})
	}
}

// A row whose size is wrong does no harm to the bodies behind its own: nobody gets to read them, Check finds it, and the
// sweep leaves them alone.
func TestBundleWithWrongOctets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, gate := gated(t, t.TempDir(), Options{UndeleteWindow: -1})
		together(t, s, gate, "alone\r\n", "wrong\r\n", "second\r\n", "third\r\n")
		wantClean(t, s, 1)
		var seq int64
		for _, octets := range []int64{6, 9, 100_000, 7 + 8} { // the last one is that of two bodies
			err := s.cat.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
				if err := tx.QueryRow(ctx, "SELECT seq FROM messages WHERE SUBSTR(body_id, 14) = X'000001'").Scan(&seq); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "UPDATE messages SET octets = ? WHERE seq = ?", octets, seq)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			execSQL(t, s, sqlBumpDrop, 1)
			report, err := s.Check(t.Context(), mailstore.CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(report.Problems, func(p mailstore.Problem) bool { return p.Kind == mailstore.ProblemBodyDamaged }) {
				t.Errorf("%d octets: Check finds %+v", octets, report.Problems)
			}
			d := mustOpen(t, s, 1)
			b, err := d.Body(t.Context(), int(seq))
			if corrupt := (*mailstore.CorruptError)(nil); octets != 7+8 && !errors.As(err, &corrupt) {
				t.Errorf("%d octets: Body: %v, want a CorruptError", octets, err)
			}
			if err == nil {
				_ = b.R.Close()
			}
			mustClose(t, d)
		}
		d := mustOpen(t, s, 1)
		if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{int(seq)}}); err != nil {
			t.Error(err)
		}
		mustClose(t, d)
		time.Sleep(time.Second)
		if r, err := s.Sweep(t.Context()); err == nil || r.Messages != 1 || r.Bodies != 0 {
			t.Errorf("Sweep: %+v, %v, want an error and no body", r, err)
		}
		report, err := s.Check(t.Context(), mailstore.CheckOptions{Digests: true})
		if err != nil || report.Messages != 3 {
			t.Fatalf("Check: %+v, %v", report, err)
		}
		for _, p := range report.Problems {
			if p.Kind != mailstore.ProblemListingWrong { // the sums of the maildrop
				t.Errorf("after the sweep: %+v", p)
			}
		}
	})
}

// A delivery that is cancelled while its body is made durable together with others ends without a message, and its room
// comes back.
func TestBundleCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, gate := gated(t, dir, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i, text := range []string{"alone\r\n", "first\r\n", "cancelled\r\n", "last\r\n"} {
			wg.Go(func() {
				d, err := s.Begin(ctx, mailstore.Envelope{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.WriteString(d, text); err != nil {
					t.Error(err)
				}
				use, want := t.Context(), error(nil)
				if i == 2 {
					use, want = ctx, context.Canceled
				}
				if _, err := d.Commit(use, []mailstore.Recipient{{Drop: 1}}); !errors.Is(err, want) {
					t.Errorf("%q: %v, want %v", text, err, want)
				}
			})
			synctest.Wait()
		}
		cancel()
		close(gate.Open)
		wg.Wait()
		if n := rowsOf(t, s, "messages"); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
		wantClean(t, s, 1)
		var octets []byte
		err := s.bodies.Walk(t.Context(), func(e body.Entry) error {
			name := e.ID.String()
			more, err := os.ReadFile(filepath.Join(dir, "bodies", name[:5], name[5:7], name[:26]))
			octets = append(octets, more...)
			return err
		})
		if err != nil || len(octets) != len("alone..first..cancelled..last..") {
			t.Errorf("there are %q, %v", octets, err)
		}
		if bytes.Contains(octets, []byte("cancelled")) && storetest.CanPunch(t) {
			t.Errorf("what was cancelled is still there: %q", octets)
		}
	})
}

// A store whose catalog is closed under deliveries that share a file acknowledges none of them, and keeps none.
func TestBundleClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, gate := gated(t, dir, Options{})
		var wg sync.WaitGroup
		for _, text := range []string{"alone\r\n", "first\r\n", "last\r\n"} {
			wg.Go(func() {
				if _, err := tryDeliver(s, text, 1); !errors.Is(err, mailstore.ErrUnavailable) {
					t.Errorf("%q: %v, want ErrUnavailable", text, err)
				}
			})
			synctest.Wait()
		}
		if err := s.cat.Close(); err != nil {
			t.Error(err)
		}
		close(gate.Open)
		wg.Wait()
		again := openTestAt(t, dir, Options{})
		if n := rowsOf(t, again, "messages"); n != 0 {
			t.Errorf("%d messages, want none", n)
		}
	})
}

// A delivery that lasts so long that its body might be taken for an orphan is refused, for example on a machine that slept.
func TestLateDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, gate := gated(t, dir, Options{OrphanAge: 4 * time.Hour})
		for _, tt := range []struct {
			lasts time.Duration
			want  error
		}{
			{2 * time.Hour, nil},
			{2*time.Hour + 1, mailstore.ErrUnavailable},
		} {
			gate.Open = make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := tryDeliver(s, "late\r\n", 1); !errors.Is(err, tt.want) {
					t.Errorf("after %v: %v, want %v", tt.lasts, err, tt.want)
				}
			})
			time.Sleep(tt.lasts)
			close(gate.Open)
			wg.Wait()
		}
		if n := rowsOf(t, s, "messages"); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
		wantClean(t, s, 1)
	})
}
