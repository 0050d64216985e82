package main

import (
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
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
	r.Before = memoryOf(t, server)
	available := proc.Available()
	start := time.Now()
	pattern := *user
	if *preauth {
		pattern = ""
	}
	held := hold(t, *conns, pattern)
	r.RampSeconds = time.Since(start).Seconds()
	time.Sleep(500 * time.Millisecond)
	c0, _ := serverCPU(server)
	time.Sleep(*holdFor)
	c1, _ := serverCPU(server)
	r.HoldCPU = (c1 - c0) * 1e3 / holdFor.Seconds()
	r.Held = memoryOf(t, server)
	available -= proc.Available()
	r.Reached = count(held)
	if r.Reached > 0 {
		r.PSSPerConn = float64(r.Held.PSS-r.Before.PSS) / float64(r.Reached)
		r.SystemPerConn = float64(available) / float64(r.Reached)
		r.RSSPerConn = float64(r.Held.RSS-r.Before.RSS) / float64(r.Reached)
	}
	t.ops.Add(int64(release(t, held, !*preauth)))
	return r
}

func memoryOf(t *tally, server proc.Server) proc.Memory {
	if !server.Known() {
		return proc.Memory{}
	}
	m, err := server.Memory()
	if err != nil {
		t.fail(err)
	}
	return m
}
