package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// hold opens n connections, signed in as the users of pattern unless that is empty. The first 20 errors end it; what
// failed is nil.
func hold(t *tally, n int, pattern string) []*strictpop3.Conn {
	held := make([]*strictpop3.Conn, n)
	each(n, *ramp, func(i int) {
		if t.errors.Load() > 20 {
			return
		}
		begin := time.Now()
		c, err := dial(make([]byte, 1024))
		if err == nil && pattern != "" {
			if err = auth(c, pattern, i%*users); err != nil {
				c.Close()
			}
		}
		if err != nil {
			t.fail(err)
			return
		}
		held[i] = c
		t.mu.Lock()
		t.logins = append(t.logins, time.Since(begin))
		t.mu.Unlock()
	})
	return held
}

// release wants every held connection alive, and ends it with QUIT. It returns how many were.
func release(t *tally, held []*strictpop3.Conn, signedIn bool) (answered int) {
	var mu sync.Mutex
	each(len(held), *ramp, func(i int) {
		c := held[i]
		if c == nil {
			return
		}
		c.SetDeadline(time.Now().Add(*timeout))
		var err error
		if signedIn {
			_, err = c.Cmd("NOOP")
		}
		if err == nil {
			err = c.Quit()
		}
		if err != nil {
			t.fail(fmt.Errorf("after the hold: %w", err))
			c.Close()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		answered++
	})
	return answered
}

func count(held []*strictpop3.Conn) (n int) {
	for _, c := range held {
		if c != nil {
			n++
		}
	}
	return n
}

// each calls f for 0 to n-1, at most width at a time.
func each(n, width int, f func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
