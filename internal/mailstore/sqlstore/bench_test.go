package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/mailstore"
)

var sizes = []int{100, 10_000, 100_000}

// Opening and closing a maildrop whose listing nobody has in memory.
func BenchmarkOpenCold(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openTest(b, Options{})
			fill(b, s, 1, n)
			for b.Loop() {
				s.cache.clear()
				mustClose(b, mustOpen(b, s, 1))
			}
		})
	}
}

// Opening and closing a maildrop that was open lately.
func BenchmarkOpenWarm(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openTest(b, Options{})
			fill(b, s, 1, n)
			b.ReportAllocs()
			for b.Loop() {
				mustClose(b, mustOpen(b, s, 1))
			}
		})
	}
}

// Opening a maildrop that got one message since it was open last.
func BenchmarkOpenChanged(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openTest(b, Options{})
			fill(b, s, 1, n)
			mustClose(b, mustOpen(b, s, 1))
			for b.Loop() {
				b.StopTimer()
				fill(b, s, 1, 1)
				b.StartTimer()
				mustClose(b, mustOpen(b, s, 1))
			}
		})
	}
}

// Opening random maildrops of few messages, most of them not in memory: the cost must not grow with their number.
func BenchmarkOpenOneOfMany(b *testing.B) {
	for _, drops := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(drops), func(b *testing.B) {
			s := openTest(b, Options{ListingCache: -1})
			for id := range drops {
				fill(b, s, int64(1+id), 5)
			}
			for b.Loop() {
				mustClose(b, mustOpen(b, s, mailstore.DropID(1+rand.IntN(drops))))
			}
		})
	}
}

// What UIDL and LIST ask of a listing.
func BenchmarkListing(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openTest(b, Options{})
			fill(b, s, 1, n)
			d := mustOpen(b, s, 1)
			defer mustClose(b, d)
			buf := make([]byte, 0, maxUID)
			b.ReportAllocs()
			for b.Loop() {
				var sum int64
				for i := range d.Len() {
					buf = d.AppendUID(buf[:0], i)
					sum += d.Size(i)
				}
				if sum != d.Octets() {
					b.Fatal(sum)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/msg")
			b.ReportMetric(float64(d.(*drop).list.size())/float64(n), "B/msg")
		})
	}
}

// Deleting everything, durably.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openTest(b, Options{})
			fill(b, s, 1, 20_000)
			all := make([]int, n)
			for i := range all {
				all[i] = i
			}
			for b.Loop() {
				d := mustOpen(b, s, 1)
				if err := d.Update(context.Background(), mailstore.Update{Deleted: all}); err != nil {
					b.Fatal(err)
				}
				mustClose(b, d)
				b.StopTimer()
				if _, err := s.Undelete(context.Background(), 1, s.opt.Now().AddDate(-1, 0, 0)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// Deliveries of 20 KB to many maildrops, so many at a time.
func BenchmarkDeliver(b *testing.B) {
	text := bytes.Repeat([]byte("twenty thousand octets of lines of forty\r\n"), 20_000/42)
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", workers), func(b *testing.B) {
			s := openTest(b, Options{})
			before := s.cat.Stats()
			work := make(chan int, workers)
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for i := range work {
						d, err := s.Begin(context.Background(), mailstore.Envelope{Sender: "a@example.com"})
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := d.Write(text); err != nil {
							b.Error(err)
						}
						if _, err := d.Commit(context.Background(), []mailstore.Recipient{{Drop: mailstore.DropID(1 + i%100)}}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			i := 0
			for b.Loop() {
				work <- i
				i++
			}
			close(work)
			wg.Wait()
			after := s.cat.Stats()
			b.ReportMetric(float64(after.Calls-before.Calls)/float64(after.Commits-before.Commits), "msgs/commit")
		})
	}
}

// Locking one maildrop while 10,000 others are locked.
func BenchmarkLock(b *testing.B) {
	t, err := openLocks(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for i := range int64(10_000) {
		if err := t.lock(1000 + 37*i); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := t.lock(500_001); err != nil {
			b.Fatal(err)
		}
		if err := t.unlock(500_001); err != nil {
			b.Fatal(err)
		}
	}
	if err := t.close(); err != nil {
		b.Fatal(err)
	}
}
