package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postamt/postamt/bench/internal/lmtp"
	"github.com/postamt/postamt/bench/internal/mailgen"
)

// A letter is one message on its way to a maildrop.
type letter struct {
	user int
	path string // of its file, with -from
}

// deliveries hands messages over LMTP on -conns connections and wants 250 for each: with -from the files of the Maildirs
// of -users, once each; without it generated ones of -size octets to the users in turn, -ops of them or until end.
func deliveries(t *tally, end time.Time) {
	letters := make(chan letter)
	done := make(chan struct{})
	go func() {
		defer close(letters)
		if err := feed(letters, done, end); err != nil {
			t.fail(err)
		}
	}()
	var wg sync.WaitGroup
	for i := range *conns {
		wg.Go(func() {
			w := newWorker(t, *scenario, *user)
			defer w.report()
			if err := w.deliver(i, letters); err != nil {
				t.fail(err)
			}
		})
	}
	wg.Wait()
	close(done) // where all connections failed nobody takes letters any more
	for range letters {
	}
}

func feed(letters chan<- letter, done <-chan struct{}, end time.Time) error {
	put := func(l letter) bool {
		select {
		case letters <- l:
			return true
		case <-done:
			return false
		}
	}
	if *from == "" {
		for n := int64(0); (*ops == 0 || n < *ops) && time.Now().Before(end); n++ {
			if !put(letter{user: int(n % int64(*users))}) {
				return nil
			}
		}
		return nil
	}
	for u := range *users {
		dir := filepath.Join(*from, fmt.Sprintf(*user, *first+u), "Maildir", "cur")
		files, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if !put(letter{user: u, path: filepath.Join(dir, f.Name())}) {
				return nil
			}
		}
	}
	return nil
}

// deliver hands over letters on one connection. Latencies are from the end of DATA to its reply, which is what durability
// costs.
func (w *worker) deliver(id int, letters <-chan letter) error {
	c, err := lmtp.Dial(*addr, *timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	g := mailgen.New(uint64(os.Getpid()), uint64(id))
	n := 0
	for l := range letters {
		var msg []byte
		if l.path == "" {
			msg = g.Message(n, *size)
			n++
		} else if msg, err = os.ReadFile(l.path); err != nil {
			return err
		}
		if err := w.hand(c, fmt.Sprintf(*user, *first+l.user)+*domain, msg); err != nil {
			return err
		}
	}
	return c.Quit()
}

func (w *worker) hand(c *lmtp.Conn, rcpt string, msg []byte) error {
	if err := c.Begin(rcpt); err != nil {
		return err
	}
	start := time.Now()
	if err := c.Message(msg); err != nil {
		return err
	}
	w.totals = append(w.totals, time.Since(start))
	w.t.ops.Add(1)
	w.t.msgs.Add(1)
	w.t.bytes.Add(int64(len(msg)))
	return nil
}
