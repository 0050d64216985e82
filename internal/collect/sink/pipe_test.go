package sink_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
)

func pipe(t *testing.T, opt sink.PipeOptions, argv ...string) *sink.Pipe {
	t.Helper()
	p, err := sink.NewPipe(argv, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A program that cannot be started needs a person, who is told what to do; the message is not to blame.
func TestPipeWithoutAProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Written by another process: one that we had open for writing could not be started while a child of another test has a
	// copy of its descriptor.
	write := exec.Command("sh", "-ec", `: >text; echo '#!/no/such/shell' >lost; printf '\0\1' >noise; chmod +x lost noise`)
	write.Dir = dir
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for program, want := range map[string]string{
		"/no/such/program":          "there is no program /no/such/program: install it, or mend its path",
		"no-such-program":           "there is no program no-such-program in PATH: install it, or write its whole path",
		filepath.Join(dir, "text"):  "the program " + dir + "/text may not be run: make it executable (chmod +x) for the user that postamt runs as",
		filepath.Join(dir, "lost"):  "the program " + dir + "/lost cannot be started, it or what it names in its first line must be mended: no such file or directory",
		filepath.Join(dir, "noise"): "the program " + dir + "/noise cannot be started, it or what it names in its first line must be mended: exec format error",
	} {
		p := pipe(t, sink.PipeOptions{}, program)
		err := sinktest.Deliver(t.Context(), p, "a", text)
		if collect.Classify(err) != collect.Permanent || err.Error() != want {
			t.Errorf("%s: got %v, want %s", program, err, want)
		}
		asked := p.Ready(t.Context())
		if found := strings.HasPrefix(want, "there is no") || strings.Contains(want, "chmod"); found != (asked != nil) ||
			found && (collect.Classify(asked) != collect.Permanent || asked.Error() != p.Name()+": "+want) {
			t.Errorf("%s: when asked: %v", program, asked)
		}
	}
	if err := pipe(t, sink.PipeOptions{}, "sh").Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPipeExitStatus(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"exit 0":                     "delivered",
		"cat >/dev/null":             "delivered",
		"exit 1":                     "final",
		"exit 65":                    "final",
		"exit 67":                    "final",
		"exit 76":                    "final",
		"exit 64":                    "temporary",
		"exit 73":                    "temporary",
		"exit 75":                    "temporary",
		"exit 78":                    "temporary",
		"no-such-command":            "temporary",
		"kill -9 $$":                 "temporary",
		"sleep 1000 & sleep 1000":    "temporary", // too long, and so is its child
		"sleep 1000 >&2 & exit 0":    "delivered", // a child keeps the output open
		"head -c 10 >/dev/null":      "delivered", // does not read all
		"echo ok; exec 1>&-; exit 0": "delivered",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			opt := sink.PipeOptions{Timeout: 10 * time.Minute}
			if strings.HasSuffix(script, "sleep 1000") {
				opt.Timeout = 100 * time.Millisecond
			}
			p := pipe(t, opt, "sh", "-c", script)
			err := sinktest.Deliver(t.Context(), p, "a", text)
			if kindOf(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	if _, err := sink.NewPipe(nil, sink.PipeOptions{}); err == nil {
		t.Error("no command: no error")
	}
}

// What the program printed is in the error: the end of it, on one line.
func TestPipeOutput(t *testing.T) {
	t.Parallel()
	p := pipe(t, sink.PipeOptions{}, "sh", "-c", `yes x | head -c 1000000; printf '\033[31m\nno\r\n such  user\n' >&2; exit 67`)
	err := sinktest.Deliver(t.Context(), p, "a", text)
	var fault *sink.PipeError
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a *sink.PipeError", err)
	}
	if len(fault.Output) > 504 || !strings.HasPrefix(fault.Output, "... ") || !strings.HasSuffix(fault.Output, "?[31m no such user") {
		t.Errorf("the output is %q", fault.Output)
	}
}

func TestPipeEnvironment(t *testing.T) {
	t.Setenv("POSTAMT_TEST_PASSWORD", "secret")
	t.Setenv("LC_TEST", "yes")
	dir := t.TempDir()
	p := pipe(t, sink.PipeOptions{Dir: dir, Env: []string{"EXTRA=1"}}, "sh", "-c", "env >env; cat >message; pwd >pwd")
	l := sinktest.Letter("k")
	l.UID, l.Sender = "a\x00b\r\n$(id)"+strings.Repeat("x", 2000), "a'b@example.com"
	d, err := p.Begin(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("a\r\n.\r\nFrom b")); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if got := read("message"); got != "a\n.\nFrom b" {
		t.Errorf("the message is %q", got)
	}
	env := "\n" + read("env")
	for _, line := range []string{
		"SENDER=a'b@example.com", "POSTAMT_ACCOUNT=test", "POSTAMT_KEY=k", "POSTAMT_RECEIVED=2026-11-22T12:34:56Z",
		"EXTRA=1", "LC_TEST=yes", "POSTAMT_UID=a?b??$(id)" + strings.Repeat("x", 990),
	} {
		if !strings.Contains(env, "\n"+line+"\n") {
			t.Errorf("not in the environment: %.60s", line)
		}
	}
	if strings.Contains(env, "secret") {
		t.Error("the program gets what is not meant for it")
	}
}

func TestPipeNeverSeesAPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := pipe(t, sink.PipeOptions{Dir: dir}, "touch", "started")
	d, err := p.Begin(t.Context(), collect.Letter{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte(strings.Repeat("x\r\n", 100000))); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if _, err := os.Stat(filepath.Join(dir, "started")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the program was started: %v", err)
	}
}
