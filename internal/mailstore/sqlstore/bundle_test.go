package sqlstore

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
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
			d, err := s.Open(t.Context(), 1, mailstore.View{})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{0, 1}}); err != nil {
				t.Error(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if r, err := s.Sweep(t.Context()); err != nil || r.Bodies != 2 {
				t.Errorf("Sweep: %+v, %v", r, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				cat, err := catalog.Open(t.Context(), dir+"/catalog.db", catalog.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer cat.Close()
				fsys, err := body.Dir(dir + "/bodies")
				if err != nil {
					t.Fatal(err)
				}
				gate := faultfs.NewGate(fsys)
				s, err := Open(t.Context(), cat, body.NewDisk(gate, body.Options{}), dir+"/locks", Options{UndeleteWindow: -1})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				var wg sync.WaitGroup
				write := func(w io.Writer) {
					if _, err := io.WriteString(w, "hello\r\n"); err != nil {
						t.Error(err)
					}
				}
				for range 2 { // the first is alone, the second in a bundle
					wg.Go(func() {
						d, err := s.Begin(t.Context(), mailstore.Envelope{})
						if err != nil {
							t.Error(err)
							return
						}
						write(d)
						if _, err := d.Commit(t.Context(), []mailstore.Recipient{{Drop: 1}}); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				// Somebody else's has come as far as this when the others are lost.
				var id body.ID
				wg.Go(func() {
					w, err := s.bodies.Create(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					write(w)
					if id, _, err = w.Finish(); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
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
