// Command popload loads a POP3 server (or an LMTP server with mail) and checks everything that it answers. It prints one JSON
// object and exits 1 when anything at all went wrong.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
)

var (
	addr     = flag.String("addr", "127.0.0.1:110", "server address (loopback only)")
	useTLS   = flag.Bool("tls", false, "TLS from the first octet (POP3S)")
	stls     = flag.Bool("stls", false, "STLS before authenticating")
	resume   = flag.Bool("resume", false, "resume TLS sessions")
	pq       = flag.Bool("pq", false, "offer the post-quantum key exchange, too")
	user     = flag.String("user", "u%d", "user name pattern")
	users    = flag.Int("users", 1, "number of users")
	first    = flag.Int("first", 0, "number of the first user")
	pass     = flag.String("pass", "pass", "password")
	useScram = flag.Bool("scram", false, "sign in with SCRAM-SHA-256 instead of USER and PASS")
	conns    = flag.Int("conns", 1, "concurrent connections; each works on users of its own")
	duration = flag.Duration("duration", 5*time.Second, "start no session after this long")
	ops      = flag.Int64("ops", 0, "stop after this many sessions or deliveries (0: no such bound)")
	scenario = flag.String("scenario", "login", strings.Join(scenarioNames(), ", "))
	pipeline = flag.Bool("pipeline", false, "check: send all commands of a session at once")
	noCapa   = flag.Bool("no-capa", false, "check: leave CAPA out, for servers that know no RFC 2449")
	window   = flag.Int("window", 64, "drain-pipelined, top and delete: commands in flight")
	verify   = flag.Bool("verify", false, "check every message's body hash, and UIDs for doubles")
	laxSize  = flag.Bool("lax-size", false, "count sizes that disagree (RETR with LIST, LIST with STAT) instead of failing")
	expect   = flag.Int("expect", -1, "messages that every mailbox must hold (-1: any number)")
	timeout  = flag.Duration("timeout", 120*time.Second, "bound on one session")
	warm     = flag.Bool("warm", false, "let every user sign in once before the measurement")
	busy     = flag.Int("busy", 50, "held: connections that work all the time")
	busyUser = flag.String("busy-user", "u%d", "held: user name pattern of the busy connections")
	holdFor  = flag.Duration("hold", 3*time.Second, "idle: how long the connections are held")
	preauth  = flag.Bool("preauth", false, "idle: do not log in")
	ramp     = flag.Int("ramp", 16, "idle and held: connections opened at a time")
	srcs     = flag.Int("srcs", 1, "spread the connections over this many source addresses 127.0.1.x")
	size     = flag.Int("size", 20000, "deliver: octets of each message")
	from     = flag.String("from", "", "deliver: the files of DIR/USER/Maildir/cur, once each, instead of generated mail")
	domain   = flag.String("domain", "", "deliver: what follows the user in RCPT TO, with its @")
	cgroup   = flag.String("cgroup", "", "control group of the server, for its CPU time and memory")
	pids     = flag.String("pids", "", "or process ids of the server, comma separated, with all below them")
)

// Result is what is printed.
type Result struct {
	Scenario   string           `json:"scenario"`
	Addr       string           `json:"addr"`
	Conns      int              `json:"conns"`
	Seconds    float64          `json:"seconds"`
	Ops        int64            `json:"ops"`
	OpsPerS    float64          `json:"ops_per_s"`
	Msgs       int64            `json:"messages"`
	MsgsPerS   float64          `json:"messages_per_s"`
	Bytes      int64            `json:"bytes"`
	MBPerS     float64          `json:"mb_per_s"`
	P50        float64          `json:"p50_ms"`
	P95        float64          `json:"p95_ms"`
	P99        float64          `json:"p99_ms"`
	Max        float64          `json:"max_ms"`
	LoginP50   float64          `json:"login_p50_ms"`
	LoginP99   float64          `json:"login_p99_ms"`
	ClientCPU  float64          `json:"client_cpu_s"`
	ServerCPU  float64          `json:"server_cpu_s,omitempty"`
	CPUPerOp   float64          `json:"server_cpu_ms_per_op,omitempty"`
	CPUPerGB   float64          `json:"server_cpu_s_per_gb,omitempty"`
	CPUPerKMsg float64          `json:"server_cpu_ms_per_1000_messages,omitempty"`
	SizeWrong  int64            `json:"size_mismatches,omitempty"`
	Idle       *Idle            `json:"idle,omitempty"`
	Held       *Held            `json:"held,omitempty"`
	Delete     *Delete          `json:"delete,omitempty"`
	Errors     int64            `json:"errors"`
	ErrorTexts map[string]int64 `json:"error_texts,omitempty"`
}

// tally is shared by the workers.
type tally struct {
	ops, msgs, bytes, sizeWrong, errors atomic.Int64

	mu     sync.Mutex
	texts  map[string]int64
	totals []time.Duration // whole sessions
	logins []time.Duration // from connect to the answer to PASS
}

func (t *tally) fail(err error) {
	t.errors.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	s := err.Error()
	if _, seen := t.texts[s]; !seen && len(t.texts) >= 8 {
		s = "others"
	}
	t.texts[s]++
}

func main() {
	flag.Parse()
	if err := checkFlags(); err != nil {
		fmt.Fprintln(os.Stderr, "popload:", err)
		os.Exit(2)
	}
	server := proc.Server{Cgroup: *cgroup}
	for p := range strings.SplitSeq(*pids, ",") {
		if n, err := strconv.Atoi(p); err == nil {
			server.Roots = append(server.Roots, n)
		}
	}
	t := &tally{texts: map[string]int64{}}
	if *warm {
		warmUp(t)
	}
	r := Result{Scenario: *scenario, Addr: *addr, Conns: *conns}
	cpu0, err := serverCPU(server)
	if err != nil {
		t.fail(err)
	}
	start := time.Now()
	switch *scenario {
	case "idle":
		r.Idle = idle(t, server)
	case "held":
		r.Held = held(t, server)
	case "delete":
		r.Delete = deletions(t, server)
	case "deliver":
		deliveries(t, start.Add(*duration))
	default:
		load(t, start.Add(*duration))
	}
	r.Seconds = time.Since(start).Seconds()
	if server.Known() {
		time.Sleep(100 * time.Millisecond) // let the server finish with the last sessions
	}
	cpu1, err := serverCPU(server)
	if err != nil {
		t.fail(err)
	}
	r.fill(t)
	if server.Known() {
		r.ServerCPU = cpu1 - cpu0
		if r.Ops > 0 {
			r.CPUPerOp = r.ServerCPU / float64(r.Ops) * 1e3
		}
		if r.Msgs > 0 && r.Bytes > 0 {
			r.CPUPerKMsg = r.ServerCPU / float64(r.Msgs) * 1e6
			r.CPUPerGB = r.ServerCPU / float64(r.Bytes) * 1e9
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "popload:", err)
		os.Exit(1)
	}
	if r.Errors > 0 {
		os.Exit(1)
	}
}

func checkFlags() error {
	if !strings.HasPrefix(*addr, "127.") && !strings.HasPrefix(*addr, "[::1]:") && !strings.HasPrefix(*addr, "localhost:") {
		return fmt.Errorf("-addr %s is not a loopback address", *addr)
	}
	if !slices.Contains(scenarioNames(), *scenario) {
		return fmt.Errorf("unknown -scenario %q", *scenario)
	}
	if *scenario == "tls-handshake" && !*stls {
		*useTLS = true
	}
	if *conns < 1 || *users < 1 || *busy < 1 || *window < 1 || *ramp < 1 || *srcs < 1 || *srcs > 250 {
		return fmt.Errorf("-conns, -users, -busy, -window, -ramp and -srcs must be at least 1 (-srcs at most 250)")
	}
	if *scenario != "idle" && *scenario != "deliver" && *conns > *users {
		return fmt.Errorf("-conns %d with only %d users would open a mailbox twice at a time", *conns, *users)
	}
	tlsConfig = &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
	if *pq {
		tlsConfig.CurvePreferences = nil // Go's own choice begins with X25519MLKEM768
	}
	if *resume {
		tlsConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1024)
	}
	return nil
}

func serverCPU(s proc.Server) (float64, error) {
	if !s.Known() {
		return 0, nil
	}
	return s.CPU()
}

// warmUp lets every user whom the scenario needs sign in once, so that caches of credentials are warm and no cost of a
// first sign-in is in the figures.
func warmUp(t *tally) {
	n, pattern := *users, *user
	if *scenario == "held" {
		n, pattern = *busy, *busyUser
	}
	each(n, min(n, *conns, 8), func(i int) {
		c, err := dial(make([]byte, 8<<10))
		if err == nil {
			if err = auth(c, pattern, i); err == nil {
				err = c.Quit()
			}
			c.Close()
		}
		if err != nil {
			t.fail(fmt.Errorf("warming up: %w", err))
		}
	})
}

// load runs the workers until end, or until -ops sessions were begun. Worker i works on the users
// i, i+conns, i+2*conns and so on, in turn.
func load(t *tally, end time.Time) {
	var begun atomic.Int64
	var wg sync.WaitGroup
	for i := range *conns {
		wg.Go(func() {
			w := newWorker(t, *scenario, *user)
			defer w.report()
			for n := i; time.Now().Before(end); n += *conns {
				if n >= *users {
					n = i
				}
				if *ops > 0 && begun.Add(1) > *ops {
					return
				}
				if t.errors.Load() > 20 {
					return // broken: do not hammer on
				}
				if err := w.session(n); err != nil {
					t.fail(err)
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
}

func (r *Result) fill(t *tally) {
	r.Ops, r.Msgs, r.Bytes = t.ops.Load(), t.msgs.Load(), t.bytes.Load()
	r.OpsPerS = float64(r.Ops) / r.Seconds
	r.MsgsPerS = float64(r.Msgs) / r.Seconds
	r.MBPerS = float64(r.Bytes) / r.Seconds / 1e6
	r.P50, r.P95, r.P99, r.Max = percentiles(t.totals)
	r.LoginP50, _, r.LoginP99, _ = percentiles(t.logins)
	r.SizeWrong, r.Errors = t.sizeWrong.Load(), t.errors.Load()
	if r.Errors > 0 {
		r.ErrorTexts = t.texts
	}
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) == nil {
		r.ClientCPU = float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
	}
}

func percentiles(d []time.Duration) (p50, p95, p99, top float64) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(q float64) float64 { return float64(d[int(q*float64(len(d)-1))]) / 1e6 }
	return at(.50), at(.95), at(.99), at(1)
}
