package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// Idle reports held connections.
type Idle struct {
	Reached     int         `json:"reached"`
	RampSeconds float64     `json:"ramp_seconds"`
	Before      proc.Memory `json:"before"`
	Held        proc.Memory `json:"held"`
	PSSPerConn  float64     `json:"pss_kib_per_connection"`
	RSSPerConn  float64     `json:"rss_kib_per_connection"`
	HoldCPU     float64     `json:"server_cpu_ms_per_s_held"`
	// SystemPerConn is by how much the machine's available memory fell: kernel memory and this
	// client included, and whatever else went on.
	SystemPerConn float64 `json:"system_kib_per_connection"`
}

// idle opens -conns connections, logs them in unless -preauth, holds them, reads the server's
// memory, and wants every one of them alive afterwards.
func idle(t *tally, server proc.Server) *Idle {
	r := &Idle{}
	read := func() proc.Memory {
		if !server.Known() {
			return proc.Memory{}
		}
		m, err := server.Memory()
		if err != nil {
			t.fail(err)
		}
		return m
	}
	r.Before = read()
	available := proc.Available()
	start := time.Now()
	held := make([]*strictpop3.Conn, *conns)
	each(*conns, func(i int) {
		if t.errors.Load() > 20 {
			return
		}
		begin := time.Now()
		c, err := dial(make([]byte, 1024))
		if err == nil && !*preauth {
			if err = auth(c, i%*users); err != nil {
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
	r.RampSeconds = time.Since(start).Seconds()
	time.Sleep(500 * time.Millisecond)
	c0, _ := serverCPU(server)
	time.Sleep(*hold)
	c1, _ := serverCPU(server)
	r.HoldCPU = (c1 - c0) * 1e3 / hold.Seconds()
	r.Held = read()
	available -= proc.Available()
	for _, c := range held {
		if c != nil {
			r.Reached++
		}
	}
	if r.Reached > 0 {
		r.PSSPerConn = float64(r.Held.PSS-r.Before.PSS) / float64(r.Reached)
		r.SystemPerConn = float64(available) / float64(r.Reached)
		r.RSSPerConn = float64(r.Held.RSS-r.Before.RSS) / float64(r.Reached)
	}
	each(*conns, func(i int) {
		c := held[i]
		if c == nil {
			return
		}
		c.SetDeadline(time.Now().Add(*timeout))
		if !*preauth {
			if _, err := c.Cmd("NOOP"); err != nil {
				t.fail(fmt.Errorf("after the hold: %w", err))
				c.Close()
				return
			}
		}
		if err := c.Quit(); err != nil {
			t.fail(fmt.Errorf("after the hold: %w", err))
			c.Close()
			return
		}
		t.ops.Add(1)
	})
	return r
}

// each calls f for 0 to n-1, -ramp at a time.
func each(n int, f func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range *ramp {
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
