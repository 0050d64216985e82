// Command collector measures Postamt's collector: beside fetchmail and mpop over a line with latency, from a Dovecot and from
// a Postamt; and alone, how much memory a huge message and a huge mailbox take. What was fetched is checked each time.
// It needs root, for Dovecot.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/postamt/postamt/bench/internal/delay"
)

const (
	password = "pass"
	octets   = 5000 // of each message of the comparison
)

var (
	program  = flag.String("postamt", "", "the postamt to measure (required)")
	dir      = flag.String("dir", "", "an empty folder that others may enter (required)")
	messages = flag.Int("messages", 1000, "messages of the comparison")
	rtt      = flag.Duration("rtt", 50*time.Millisecond, "latency that is added, there and back")
	rounds   = flag.Int("rounds", 1, "rounds of the comparison")
	giant    = flag.Int64("giant", 5<<30, "octets of the huge message (0: leave it out)")
	listed   = flag.Int("listed", 100_000, "messages of the huge mailbox (0: leave it out)")
	only     = flag.String("clients", "fetchmail,mpop,postamt", "who takes part in the comparison; postamt must")
	owner    = flag.String("owner", "nobody", "whose the mail of Dovecot is")
)

func main() {
	flag.Parse()
	taking := strings.Split(*only, ",")
	clients = slices.DeleteFunc(clients, func(c client) bool { return !slices.Contains(taking, c.name) })
	if *program == "" || *dir == "" || !slices.Contains(taking, "postamt") {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *messages > 0 {
		if err := compare(ctx); err != nil {
			return err
		}
	}
	if *listed > 0 {
		if err := hugeMailbox(ctx); err != nil {
			return err
		}
	}
	if *giant > 0 {
		return hugeMessage(ctx)
	}
	return nil
}

// A cost is what a client's run took.
type cost struct {
	wall time.Duration
	cpu  time.Duration
	rss  int64 // KiB at most, of the program or one that it started
}

// measured runs a client to its end.
func measured(cmd *exec.Cmd) (cost, error) {
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, tail(out))
	}
	c := cost{wall: time.Since(begun), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.rss = ru.Maxrss
	}
	return c, nil
}

// tail is the end of what a program printed.
func tail(out []byte) string {
	return strings.TrimSpace(string(out[max(0, len(out)-500):]))
}

// compare drains the same messages with each client, from each server, each run from a mailbox of its own.
func compare(ctx context.Context) error {
	servers := []server{&dovecot{}, &office{}}
	took := map[string][]cost{}
	for _, s := range servers {
		home := filepath.Join(*dir, s.name())
		if err := os.MkdirAll(home, 0o755); err != nil {
			return err
		}
		var users []string
		for _, c := range clients {
			for round := range *rounds {
				users = append(users, fmt.Sprintf("%s%d", c.name, round))
			}
		}
		if err := s.fill(ctx, home, users); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		err := s.start(home)
		if err == nil {
			err = compareFrom(ctx, s, took)
		}
		if err = errors.Join(err, s.stop()); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	fmt.Printf("%d messages of %d octets, fetched and deleted, %v of added latency; wall seconds, in brackets the ratio to Postamt, and CPU seconds\n\n", *messages, octets, *rtt)
	fmt.Print("| from |")
	for _, c := range clients {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Println("\n| --- |" + strings.Repeat(" --- |", len(clients)))
	for _, s := range servers {
		fmt.Printf("| %s |", s.name())
		ours := median(took[s.name()+" postamt"])
		for _, c := range clients {
			m := median(took[s.name()+" "+c.name])
			fmt.Printf(" %.2f (%.2f), %.2f |", m.wall.Seconds(), m.wall.Seconds()/ours.wall.Seconds(), m.cpu.Seconds())
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

// median is the run in the middle, by wall time.
func median(costs []cost) cost {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	return costs[len(costs)/2]
}

// compareFrom runs all clients, in turns, against one server.
func compareFrom(ctx context.Context, s server, took map[string][]cost) error {
	if err := listening(ctx, s.addr()); err != nil {
		return err
	}
	p, err := delay.Start(s.addr(), *rtt)
	if err != nil {
		return err
	}
	defer p.Close()
	for round := range *rounds {
		for _, c := range clients {
			name := fmt.Sprintf("%s%d", c.name, round)
			home := filepath.Join(*dir, "clients", s.name(), name)
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			mail := filepath.Join(home, "Maildir")
			for _, sub := range []string{"cur", "new", "tmp"} {
				if err := os.MkdirAll(filepath.Join(mail, sub), 0o700); err != nil {
					return err
				}
			}
			cmd, err := c.command(ctx, home, mail, p.Addr, name)
			if err != nil {
				return err
			}
			took1, err := measured(cmd)
			if err == nil {
				err = checkMail(filepath.Join(mail, "new"))
			}
			if err == nil {
				err = empty(s.addr(), name)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			key := s.name() + " " + c.name
			took[key] = append(took[key], took1)
		}
	}
	return nil
}

// listening waits until something listens at addr.
func listening(ctx context.Context, addr string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("nothing listens at %s", addr)
}

// ownerOf returns the numbers of a user.
func ownerOf(name string) (uid, gid string, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", "", err
	}
	return u.Uid, u.Gid, nil
}
