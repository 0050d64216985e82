package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// pipelining and noPipelining are what a server says to CAPA.
var (
	pipelining   = pop3test.Dialogue("S: +OK\nC: CAPA\nS: +OK\nS: PIPELINING\nS: .")
	noPipelining = pop3test.Dialogue("S: +OK\nC: CAPA\nS: -ERR")
)

// run runs a batch and writes the outcome as text.
func run(ctx context.Context, c *pop3client.Client, ops iter.Seq[pop3client.Op]) (out []string, err error) {
	for r, err := range c.Batch(ctx, ops) {
		var refused *pop3.Error
		s := fmt.Sprint(r.Op.Verb, " ", r.Op.Num, ": ")
		switch {
		case errors.As(err, &refused), errors.Is(err, pop3client.ErrArgument):
			s += err.Error()
		case err != nil:
			return out, err
		case r.Message != nil:
			b, err := io.ReadAll(r.Message)
			if err != nil {
				return out, err
			}
			s += fmt.Sprintf("%q", b)
		default:
			s += "done"
		}
		out = append(out, s)
	}
	return out, nil
}

func op(verb pop3client.Verb, num int) pop3client.Op { return pop3client.Op{Verb: verb, Num: num} }

var someOps = []pop3client.Op{
	op(pop3client.RETR, 1), op(pop3client.DELE, 1), op(pop3client.RETR, 2), op(pop3client.RETR, 0),
	{Verb: pop3client.TOP, Num: 3, Lines: 2},
}

var someAnswers = [...]pop3test.Step{
	pop3test.Reply("+OK 6 octets", "one", ".."+"x", "."),
	pop3test.Reply("+OK marked"),
	pop3test.Reply("-ERR expunged"),
	pop3test.Reply("+OK", "top", "."),
}

var someResults = []string{
	`RETR 1: "one\r\n.x\r\n"`, "DELE 1: done", "RETR 2: -ERR expunged",
	"RETR 0: pop3client: RETR: argument cannot be sent: 0 is no message-number", `TOP 3: "top\r\n"`,
}

// TestBatch: with PIPELINING all commands go out before the first answer comes, without it one by one (C-036).
func TestBatch(t *testing.T) {
	t.Parallel()
	commands := [...]pop3test.Step{
		pop3test.Expect("RETR 1"), pop3test.Expect("DELE 1"), pop3test.Expect("RETR 2"), pop3test.Expect("TOP 3 2"),
	}
	ahead := pipelining.Then(commands[:]...).Then(someAnswers[:]...).Then(noop...)
	oneByOne := noPipelining
	for i := range commands {
		oneByOne = oneByOne.Then(commands[i], someAnswers[i])
	}
	oneByOne = oneByOne.Then(noop...)
	for name, script := range map[string]pop3test.Script{
		"pipelined": ahead, "one by one": oneByOne,
		"pipelined, octet by octet": ahead.Segmented(1), "one by one, octet by octet": oneByOne.Segmented(1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, script)
			got, err := run(t.Context(), c, slices.Values(someOps))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(someResults, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if err := c.Noop(t.Context()); err != nil {
				t.Errorf("Noop after the batch: %v", err)
			}
		})
	}
	t.Run("pipelining turned off", func(t *testing.T) {
		t.Parallel()
		script := slices.Concat(pipelining, oneByOne[len(noPipelining):])
		c := dial(t, script, func(o *pop3client.Options) { o.NoPipelining = true })
		if got, err := run(t.Context(), c, slices.Values(someOps)); err != nil || !slices.Equal(got, someResults) {
			t.Errorf("results %q, %v", got, err)
		}
		if err := c.Noop(t.Context()); err != nil {
			t.Errorf("Noop after the batch: %v", err)
		}
	})
}

// TestBatchWindow: how many commands go out before the first answer, by the sizes of the messages.
func TestBatchWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		size int64
		want int
	}{
		{"small messages", 100, pop3client.MaxWindow},
		{"of 5 KB", 5000, pop3client.MaxWindow},
		{"of 100 KiB", 100 << 10, 11},
		{"of 1 GiB", 1 << 30, 2},
		{"of unknown size", 0, 16},
		{"of impossible size", 1 << 62, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			script := pipelining
			for range test.want {
				script = script.Then(pop3test.ExpectFunc(func(string) (pop3test.Script, error) { sent++; return nil, nil }))
			}
			// All that goes out is read, then the peer hangs up; one more would be a failure of the script.
			c := dial(t, script.Then(pop3test.MayHangUp(), pop3test.Reply("+OK"), pop3test.ExpectHangUp()))
			ops := slices.Repeat([]pop3client.Op{{Verb: pop3client.RETR, Num: 1, Size: test.size}}, 500)
			for r, err := range c.Batch(t.Context(), slices.Values(ops)) {
				if err != nil || r.Message == nil {
					t.Fatalf("first answer: %v", err)
				}
				c.Close()
				break
			}
			if sent != test.want {
				t.Errorf("%d commands went out ahead, want %d", sent, test.want)
			}
		})
	}
}

// TestBatchDeletesWhatIsDone: the source of commands can look at what the loop has finished.
func TestBatchDeletesWhatIsDone(t *testing.T) {
	t.Parallel()
	c := dial(t, noPipelining.Then(pop3test.Dialogue(`
		C: RETR 1
		S: +OK
		S: a
		S: .
		C: DELE 1
		S: +OK
		C: RETR 2
		S: +OK
		S: b
		S: .
		C: DELE 2
		S: +OK
	`)...).Then(noop...))
	var done []int
	ops := func(yield func(pop3client.Op) bool) {
		for num := 1; num <= 2; num++ {
			if !yield(op(pop3client.RETR, num)) || len(done) != num || !yield(op(pop3client.DELE, done[num-1])) {
				return
			}
		}
	}
	for r, err := range c.Batch(t.Context(), ops) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Message != nil {
			done = append(done, r.Op.Num) // not read: the batch skips it
		}
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("Noop after the batch: %v", err)
	}
}

// TestBatchLeftEarly: the answers to what was sent are skipped.
func TestBatchLeftEarly(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789\r\n", 1000)
	script := pipelining.Then(pop3test.MayHangUp(), pop3test.Expect("RETR 1"), pop3test.Expect("RETR 2"), pop3test.Expect("RETR 3"),
		pop3test.Send("+OK\r\n"+body+".\r\n-ERR gone\r\n+OK\r\n"+body+".\r\n")).Then(noop...)
	for _, test := range []struct {
		name string
		size int64
		max  int64
		want error
	}{
		{"skipped", 12_000, 100_000, nil},
		{"too long", 12_000, 15_000, pop3client.ErrAbandoned},
		{"longer than said", 100, 15_000, pop3client.ErrAbandoned},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, script, func(o *pop3client.Options) { o.MaxDrain = test.max })
			var ops []pop3client.Op
			for num := 1; num <= 3; num++ {
				ops = append(ops, pop3client.Op{Num: num, Size: test.size})
			}
			var first *pop3client.Message
			for r, err := range c.Batch(t.Context(), slices.Values(ops)) {
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrBusy) {
					t.Errorf("Noop inside a batch: %v, want ErrBusy", err)
				}
				first = r.Message
				break
			}
			if err := c.Noop(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("Noop after the batch: %v, want %v", err, test.want)
			}
			if _, err := first.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("Read after the batch: %v, want an error that is not io.EOF", err)
			}
		})
	}
}

// TestBatchPanic: a panic of the caller's does not wait for the server; the connection is closed.
func TestBatchPanic(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]func(c *pop3client.Client){
		"batch": func(c *pop3client.Client) {
			for range c.Batch(t.Context(), slices.Values(someOps)) {
				panic("the caller's")
			}
		},
		"source of a batch": func(c *pop3client.Client) {
			for range c.Batch(t.Context(), func(func(pop3client.Op) bool) {
				panic("the caller's")
			}) {
			}
		},
		"listing": func(c *pop3client.Client) {
			for range c.List(t.Context()) {
				panic("the caller's")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := noPipelining
			if name == "listing" {
				script = pop3test.Dialogue("S: +OK")
			}
			c := dial(t, script.Then(pop3test.MayHangUp(), pop3test.ExpectFunc(func(string) (pop3test.Script, error) {
				return pop3test.Script{pop3test.Reply("+OK", "1 1"), pop3test.Stall(never)}, nil
			})))
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				loop(c)
			}()
			if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrAbandoned) {
				t.Errorf("Noop after the panic: %v, want ErrAbandoned", err)
			}
		})
	}
}

// TestBatchFaults: wherever the server hangs up in a batch, the last thing that comes is an error, and what is whole is whole.
func TestBatchFaults(t *testing.T) {
	t.Parallel()
	script := pipelining.Then(
		pop3test.Expect("RETR 1"), pop3test.Expect("DELE 1"), pop3test.Expect("RETR 2"), pop3test.Expect("TOP 3 2"),
	).Then(someAnswers[:]...)
	for n := range script.Octets() {
		opt := inTheClear(pop3test.NewScriptedPeer(t, script.FaultAfter(n, pop3test.Cut())...))
		c, err := pop3client.Dial(t.Context(), "h", opt)
		if err != nil {
			continue
		}
		got, err := run(t.Context(), c, slices.Values(someOps))
		c.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("cut after %d octets: error %v", n, err)
		}
		for i, s := range got {
			if s != someResults[i] {
				t.Errorf("cut after %d octets: result %q, want %q", n, s, someResults[i])
			}
		}
	}
}

func TestBatchCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := dial(t, pipelining.Then(pop3test.Expect("RETR 1"), pop3test.Reply("+OK", "a", "."), pop3test.ExpectHangUp()))
	for _, err := range c.Batch(ctx, slices.Values(someOps[:1])) {
		if err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if err := c.Noop(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("Noop after a cancelled batch: %v, want context.Canceled in the chain", err)
	}
}
