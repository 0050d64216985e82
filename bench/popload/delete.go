package main

import (
	"fmt"
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// Delete reports sessions that delete all mail; means of a session.
type Delete struct {
	Messages int     `json:"messages"`
	DeleMS   float64 `json:"dele_ms"` // all the DELE, pipelined
	QuitMS   float64 `json:"quit_ms"` // from QUIT to its reply: by then the deletions must last
	QuitCPU  float64 `json:"quit_server_cpu_ms,omitempty"`
}

// deletions empties each of the -users' maildrops once, one after the other, and then looks whether they are empty.
func deletions(t *tally, server proc.Server) *Delete {
	r := &Delete{}
	w := newWorker(t, "delete", *user)
	defer w.report()
	for n := range *users {
		if err := r.session(w, server, n); err != nil {
			t.fail(fmt.Errorf("delete: %w", err))
			return r
		}
	}
	r.DeleMS /= float64(*users)
	r.QuitMS /= float64(*users)
	r.QuitCPU /= float64(*users)
	return r
}

func (r *Delete) session(w *worker, server proc.Server, n int) error {
	c, err := w.open(n)
	if err != nil {
		return err
	}
	defer c.Close()
	messages, err := deleteAll(c)
	if err != nil {
		return err
	}
	r.DeleMS += messages.took
	r.Messages += messages.count
	cpu0, err := settledCPU(server)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := c.Cmd("QUIT"); err != nil {
		return err
	}
	took := time.Since(start)
	if err := c.Closed(); err != nil {
		return err
	}
	cpu1, err := settledCPU(server)
	if err != nil {
		return err
	}
	r.QuitMS += float64(took) / 1e6
	r.QuitCPU += (cpu1 - cpu0) * 1e3
	w.totals = append(w.totals, took)
	w.t.ops.Add(1)
	w.t.msgs.Add(int64(messages.count))
	return w.empty(n)
}

type deleted struct {
	count int
	took  float64 // ms
}

// deleteAll marks all messages as deleted, -window commands in flight.
func deleteAll(c *strictpop3.Conn) (d deleted, err error) {
	rest, err := c.Cmd("STAT")
	if err != nil {
		return d, err
	}
	if d.count, _, err = strictpop3.Stat(rest); err != nil {
		return d, err
	}
	if err := expected(d.count); err != nil {
		return d, err
	}
	start := time.Now()
	for sent, got := 0, 0; got < d.count; got++ {
		if sent-got <= *window/2 {
			for sent < d.count && sent-got < *window {
				sent++
				c.PutN("DELE", sent, "")
			}
			if err := c.Flush(); err != nil {
				return d, err
			}
		}
		if _, err := c.OK(); err != nil {
			return d, fmt.Errorf("DELE %d: %w", got+1, err)
		}
	}
	d.took = float64(time.Since(start)) / 1e6
	return d, nil
}

// empty wants nothing in the maildrop of user n.
func (w *worker) empty(n int) error {
	c, err := w.open(n)
	if err != nil {
		return err
	}
	defer c.Close()
	rest, err := c.Cmd("STAT")
	if err != nil {
		return err
	}
	if left, octets, err := strictpop3.Stat(rest); err != nil || left != 0 || octets != 0 {
		return fmt.Errorf("STAT after the deletions: %q", rest)
	}
	return c.Quit()
}

// settledCPU waits until the server rests (less than 1 ms of CPU time in 200 ms) and returns the CPU time that it used
// so far: work put off until after the reply to QUIT counts as well. It waits for 10 seconds at most.
func settledCPU(server proc.Server) (float64, error) {
	last, err := serverCPU(server)
	for end := time.Now().Add(10 * time.Second); server.Known() && err == nil && time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
		var now float64
		if now, err = serverCPU(server); now-last < 1e-3 {
			return now, err
		}
		last = now
	}
	return last, err
}
