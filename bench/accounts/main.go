// Command accounts shows what the number of accounts costs: it makes offices of some sizes, each account with a few
// messages, polls accounts at random, and measures server CPU, latency and memory. Every reply is checked.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postamt/postamt/bench/internal/chart"
	"github.com/postamt/postamt/bench/internal/proc"
)

// A Result is what an office of one size costs.
type Result struct {
	Accounts     int     `json:"accounts"`
	Messages     int     `json:"messages"`
	AddSeconds   float64 `json:"add_s"`
	StartSeconds float64 `json:"start_s"`
	PSSStarted   float64 `json:"pss_started_mib"`
	First        Polls   `json:"first"`
	Again        Polls   `json:"again"`
	PSS          float64 `json:"pss_mib"`
	Peak         float64 `json:"peak_rss_mib"`
}

// Polls are many sessions of CAPA, STAT, UIDL, LIST and QUIT.
type Polls struct {
	Number   int     `json:"polls"`
	CPU      float64 `json:"server_cpu_ms"`
	P50, P99 float64
}

// messages is how many each account has.
const messages = 3

func main() {
	program := flag.String("postamt", "", "the postamt to run (required)")
	dir := flag.String("dir", "", "an empty folder for data (required)")
	sizes := flag.String("sizes", "1000,10000,100000", "how many accounts")
	polls := flag.Int("polls", 10000, "polls of each kind")
	port := flag.Int("port", 31220, "the first of two ports on the loopback")
	jsonFile := flag.String("json", "", "file for the results")
	svgFile := flag.String("svg", "", "file for the curves")
	flag.Parse()
	if *program == "" || *dir == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var results []Result
	fmt.Println("| accounts | added in s | start s | MiB then | first poll, CPU ms | p50 ms | p99 ms | poll again, CPU ms | p50 ms | p99 ms | MiB then | peak RSS, MiB |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err == nil {
			o := newOffice(*program, filepath.Join(*dir, text), *port, n)
			var r Result
			if r, err = o.measure(ctx, *polls); err == nil {
				fmt.Printf("| %d | %.1f | %.2f | %.0f | %.2f | %.2f | %.2f | %.3f | %.2f | %.2f | %.0f | %.0f |\n", r.Accounts, r.AddSeconds, r.StartSeconds, r.PSSStarted,
					r.First.CPU, r.First.P50, r.First.P99, r.Again.CPU, r.Again.P50, r.Again.P99, r.PSS, r.Peak)
				results = append(results, r)
				err = os.RemoveAll(o.dir)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "accounts:", err)
			os.Exit(1)
		}
	}
	if err := write(results, *jsonFile, *svgFile); err != nil {
		fmt.Fprintln(os.Stderr, "accounts:", err)
		os.Exit(1)
	}
}

// measure makes the office, starts it anew so that nothing of ours is in memory, and polls.
func (o *office) measure(ctx context.Context, polls int) (r Result, err error) {
	r = Result{Accounts: o.accounts, Messages: messages}
	if r.AddSeconds, err = o.make(ctx); err != nil {
		return r, err
	}
	begun := time.Now()
	if err := o.start(ctx); err != nil {
		return r, err
	}
	defer func() {
		if e := o.stop(); err == nil {
			err = e
		}
	}()
	r.StartSeconds = time.Since(begun).Seconds()
	server := proc.Server{Roots: []int{o.cmd.Process.Pid}}
	if r.PSSStarted, err = pss(server); err != nil {
		return r, err
	}
	order := rand.Perm(o.accounts) // evenly over all of them
	order = order[:min(polls, len(order))]
	if r.First, err = o.polls(ctx, server, order); err != nil {
		return r, err
	}
	again := make([]int, polls)
	for i := range again {
		again[i] = order[rand.IntN(len(order))]
	}
	if r.Again, err = o.polls(ctx, server, again); err != nil {
		return r, err
	}
	if r.PSS, err = pss(server); err != nil {
		return r, err
	}
	r.Peak, err = peak(o.cmd.Process.Pid)
	return r, err
}

// clients is how many sessions there are at a time.
const clients = 2

// polls polls the accounts of those numbers, each client its part of them.
func (o *office) polls(ctx context.Context, server proc.Server, accounts []int) (Polls, error) {
	before, err := server.CPU()
	if err != nil {
		return Polls{}, err
	}
	times := make([]time.Duration, len(accounts))
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			buf := make([]byte, 32<<10)
			for i := c; i < len(accounts) && errs[c] == nil; i += clients {
				if errs[c] = ctx.Err(); errs[c] != nil {
					return
				}
				begun := time.Now()
				// Another client may have the same account open just now.
				for errs[c] = o.poll(accounts[i], buf); inUse(errs[c]); errs[c] = o.poll(accounts[i], buf) {
					begun = time.Now()
				}
				times[i] = time.Since(begun)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return Polls{}, err
		}
	}
	time.Sleep(200 * time.Millisecond) // for what the server does after the last reply
	after, err := server.CPU()
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))]) / 1e6 }
	return Polls{Number: len(accounts), CPU: (after - before) * 1e3 / float64(len(accounts)), P50: at(.5), P99: at(.99)}, err
}

func pss(server proc.Server) (float64, error) {
	m, err := server.Memory()
	return float64(m.PSS) / 1024, err
}

// peak is the largest resident set that a process ever had, in MiB.
func peak(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	return kib / 1024, err
}

func write(results []Result, jsonFile, svgFile string) error {
	if jsonFile != "" {
		text, err := json.Marshal(results)
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if svgFile == "" {
		return nil
	}
	return curves(results).WriteFile(svgFile)
}

func curves(results []Result) chart.Chart {
	line := func(name string, of func(Result) float64) chart.Series {
		s := chart.Series{Name: name, Marks: true}
		for _, r := range results {
			s.X = append(s.X, float64(r.Accounts))
			s.Y = append(s.Y, of(r))
		}
		return s
	}
	return chart.Chart{
		Title:  "What a poll costs, by the number of accounts",
		Note:   fmt.Sprintf("CAPA STAT UIDL LIST QUIT of random accounts with %d messages each", messages),
		XLabel: "accounts",
		LogX:   true,
		Panels: []chart.Panel{
			{Label: "poll, server CPU ms", Top: 0.5, Series: []chart.Series{line("", func(r Result) float64 { return r.Again.CPU })}},
			{Label: "first poll of an account, server CPU ms (with an argon2id verification)", Series: []chart.Series{line("", func(r Result) float64 { return r.First.CPU })}},
			{Label: "poll, latency ms", Series: []chart.Series{
				line("p50", func(r Result) float64 { return r.Again.P50 }), line("p99", func(r Result) float64 { return r.Again.P99 }),
			}},
			{Label: "memory of the daemon, MiB", Top: 100, Series: []chart.Series{
				line("started", func(r Result) float64 { return r.PSSStarted }), line("after the polls", func(r Result) float64 { return r.PSS }),
			}},
		},
	}
}
