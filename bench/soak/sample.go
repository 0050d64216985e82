package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
)

// A Sample is what the daemon holds at one moment.
type Sample struct {
	Seconds     float64 `json:"s"`
	RSS         int64   `json:"rss_kib"`
	PSS         int64   `json:"pss_kib"`
	Heap        int64   `json:"heap_kib"`
	Goroutines  int     `json:"goroutines"`
	Descriptors int     `json:"descriptors"`
	Connections int     `json:"connections"`
	Log         int64   `json:"wal_kib"`
	Catalog     int64   `json:"catalog_kib"`
	CPU         float64 `json:"cpu_s"`
	Sessions    int64   `json:"sessions"`
}

// sample reads the page of metrics, /proc and the sizes of files.
func (s *soak) sample(ctx context.Context) (Sample, error) {
	m := Sample{Seconds: time.Since(s.begun).Seconds(), Sessions: s.count.sessions.Load()}
	server := proc.Server{Roots: []int{s.d.cmd.Process.Pid}}
	mem, err := server.Memory()
	if err != nil {
		return m, err
	}
	m.RSS, m.PSS = mem.RSS, mem.PSS
	if m.CPU, err = server.CPU(); err != nil {
		return m, err
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.d.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	m.Descriptors = len(fds)
	for name, to := range map[string]*int64{"catalog.db-wal": &m.Log, "catalog.db": &m.Catalog} {
		if info, err := os.Stat(filepath.Join(s.d.data(), name)); err == nil {
			*to = info.Size() >> 10
		} else if !errors.Is(err, os.ErrNotExist) {
			return m, err
		}
	}
	return m, s.metrics(ctx, &m)
}

// metrics reads what only the daemon knows, over a connection of its own.
func (s *soak) metrics(ctx context.Context, m *Sample) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.d.metrics+"/metrics", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		name, _, _ = strings.Cut(name, "{")
		switch name {
		case "go_goroutines":
			m.Goroutines = int(v)
		case "go_memstats_heap_inuse_bytes":
			m.Heap = int64(v) >> 10
		case "postamt_connections_open":
			m.Connections += int(v)
		}
	}
	if m.Goroutines == 0 {
		return errors.New("the page of metrics has no go_goroutines")
	}
	return lines.Err()
}

// watch samples every so often until ctx ends.
func (s *soak) watch(ctx context.Context, every time.Duration) {
	for pause(ctx, every) {
		s.try("sample", func() error {
			m, err := s.sample(ctx)
			if err == nil {
				s.samples = append(s.samples, m)
			}
			return ended(ctx, err)
		})
	}
}
