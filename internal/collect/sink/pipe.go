package sink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/postamt/postamt/internal/argv"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailfile"
)

// A Pipe is a program that takes a message on its standard input, such as maildrop, procmail or dovecot-lda.
//
// The message is written to a file first and the program started when it is whole, so a program never sees a part of one,
// and its time is its own, not that of the other server. No shell is asked: arguments are given as they are.
//
// # Environment
//
// The program gets PATH, HOME, USER, LOGNAME, SHELL, TZ, TMPDIR, LANG and LC_* as they are here, and nothing else of what is
// set here, because there may be passwords; what PipeOptions.Env adds; and
//
//	SENDER             the envelope sender, empty if it is not known
//	POSTAMT_ACCOUNT    the collector's account
//	POSTAMT_UID        the message's unique-id at the other server
//	POSTAMT_KEY        what stays the same if the message comes again
//	POSTAMT_RECEIVED   when it was received, as in 2026-11-22T12:00:00Z
//
// Control characters in values become "?" and long ones are cut at 1000 octets.
//
// # Exit status (sysexits.h)
//
//	0                                    it has the message, and keeps it if the machine stops now
//	64 69 70 71 72 73 74 75 77 78        try again later: these speak of the program, its configuration or the machine
//	126 127, a signal, too long          try again later
//	65 67 76 and all others              never: the message is refused
//
// A program that is not there, or cannot be started, is a *collect.PermanentError.
type Pipe struct {
	argv []string
	opt  PipeOptions
}

var _ collect.Sink = (*Pipe)(nil)

// PipeOptions are how a program is run. The zero value is what programs on Unix expect.
type PipeOptions struct {
	// CRLF keeps CRLF as line ends instead of LF.
	CRLF bool
	// Timeout is how long the program may take for one message; 0 is 5 minutes.
	Timeout time.Duration
	// Env are more variables, as NAME=value.
	Env []string
	// Dir is the folder to run it in; empty is the root.
	Dir string
}

// DefaultPipeTimeout is how long a program may take for one message.
const DefaultPipeTimeout = 5 * time.Minute

// NewPipe returns a sink that runs a program for each message. argv[0] is its path, or a name to be found in PATH.
func NewPipe(argv []string, opt PipeOptions) (*Pipe, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("sink: the command to pipe messages to is empty; name a program")
	}
	if opt.Timeout <= 0 {
		opt.Timeout = DefaultPipeTimeout
	}
	if opt.Dir == "" {
		opt.Dir = "/"
	}
	opt.Env = append([]string(nil), opt.Env...)
	return &Pipe{argv: append([]string(nil), argv...), opt: opt}, nil
}

// Name returns "pipe:" and the program, without its arguments.
func (p *Pipe) Name() string { return "pipe:" + p.argv[0] }

// Safe returns false: a program that was given a message may have taken it although its answer was lost.
func (p *Pipe) Safe() bool { return false }

// Close does nothing.
func (p *Pipe) Close() error { return nil }

// Ready returns a *collect.PermanentError if the program is not there or may not be run, and a *collect.TemporaryError if
// the disk that it is on does not tell.
func (p *Pipe) Ready(context.Context) error {
	switch err := argv.Find(p.argv[0], p.opt.Dir); {
	case err == nil:
		return nil
	case argv.MayPass(err):
		return temporary(fmt.Errorf("%s: %w", p.Name(), err))
	default:
		return &collect.PermanentError{Err: fmt.Errorf("%s: %w", p.Name(), err)}
	}
}

// Begin starts a delivery into a file without a name.
func (p *Pipe) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	f, err := os.CreateTemp("", "postamt-pipe-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		return nil, later("a message for "+p.argv[0]+" cannot be kept", err)
	}
	d := &pipeDelivery{sink: p, letter: letter, file: f, buffer: bufio.NewWriterSize(f, blocks)}
	d.lines = mailfile.NewLineWriter(d.buffer, mailfile.LineForm{LF: !p.opt.CRLF})
	return d, nil
}

type pipeDelivery struct {
	sink   *Pipe
	letter collect.Letter
	file   *os.File // nil at the end
	buffer *bufio.Writer
	lines  *mailfile.LineWriter
}

func (d *pipeDelivery) Write(p []byte) (int, error) {
	if d.file == nil {
		return 0, errEnded
	}
	n, err := d.lines.Write(p)
	return n, later("a message for "+d.sink.argv[0]+" cannot be kept", err)
}

// Commit runs the program.
func (d *pipeDelivery) Commit(ctx context.Context) error {
	if d.file == nil {
		return errEnded
	}
	defer d.Abort()
	err := errors.Join(d.lines.Flush(), d.buffer.Flush())
	if err == nil {
		_, err = d.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return later("a message for "+d.sink.argv[0]+" cannot be kept", err)
	}
	return d.sink.run(ctx, d.file, d.letter)
}

func (d *pipeDelivery) Abort() {
	if d.file != nil {
		_ = d.file.Close()
		d.file = nil
	}
}

func (p *Pipe) run(ctx context.Context, message *os.File, letter collect.Letter) error {
	if err := ctx.Err(); err != nil {
		return temporary(err)
	}
	run, cancel := context.WithTimeout(ctx, p.opt.Timeout)
	defer cancel()
	cmd := exec.CommandContext(run, p.argv[0], p.argv[1:]...)
	cmd.Stdin, cmd.Dir, cmd.Env = message, p.opt.Dir, p.environ(letter)
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	// A process group of its own, so that its children are ended with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.Success() {
		return nil // also if a child of it keeps its output open
	}
	fault := &PipeError{Program: p.argv[0], Output: said.String(), Err: err}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		fault.Err = ctx.Err()
	case cmd.Process == nil:
		return p.notStarted(err)
	case run.Err() != nil:
		fault.Err = fmt.Errorf("it did not end within %v: %w", p.opt.Timeout, run.Err())
	case errors.As(err, &exit) && exit.Exited() && !passing[exit.ExitCode()]:
		return fault
	}
	return temporary(fault)
}

// notStarted says why the program could not be started, and what to do if somebody must do something.
func (p *Pipe) notStarted(err error) error {
	if missing := argv.Find(p.argv[0], p.opt.Dir); missing != nil && !argv.MayPass(missing) {
		return &collect.PermanentError{Err: missing}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == syscall.ENOENT || errno == syscall.EACCES || errno == syscall.ENOEXEC) {
		return &collect.PermanentError{Err: fmt.Errorf("the program %s cannot be started, it or what it names in its first line must be mended: %w", p.argv[0], errno)}
	}
	return temporary(&PipeError{Program: p.argv[0], Err: err})
}

// waitDelay is how long a child of a program may keep its output open when the program itself is gone.
const waitDelay = 2 * time.Second

// passing are the exit statuses that say nothing about the message.
var passing = map[int]bool{
	64: true, // EX_USAGE
	69: true, // EX_UNAVAILABLE
	70: true, // EX_SOFTWARE
	71: true, // EX_OSERR
	72: true, // EX_OSFILE
	73: true, // EX_CANTCREAT
	74: true, // EX_IOERR
	75: true, // EX_TEMPFAIL
	77: true, // EX_NOPERM
	78: true, // EX_CONFIG

	126: true, 127: true, // of a shell: it cannot be run, it is not there
}

// inherited are the variables that a program gets as they are here.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "LANG"}

// maxValue is the longest value of a variable.
const maxValue = 1000

func (p *Pipe) environ(letter collect.Letter) []string {
	var env []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LC_") {
			env = append(env, v)
		}
	}
	received := ""
	if !letter.Received.IsZero() {
		received = letter.Received.UTC().Format(time.RFC3339)
	}
	return append(append(env, p.opt.Env...),
		"SENDER="+printable(letter.Sender, maxValue),
		"POSTAMT_ACCOUNT="+printable(letter.Account, maxValue),
		"POSTAMT_UID="+printable(letter.UID, maxValue),
		"POSTAMT_KEY="+printable(letter.Key, maxValue),
		"POSTAMT_RECEIVED="+received)
}

// printable makes of s one line without control characters, of at most limit octets.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// A PipeError says why a program did not take a message.
type PipeError struct {
	Program string
	// Output is the end of what it printed, on one line and bounded.
	Output string
	Err    error
}

func (e *PipeError) Error() string {
	text := fmt.Sprintf("the program %s did not take the message: %v", e.Program, e.Err)
	if e.Output != "" {
		text += ": " + e.Output
	}
	return text
}

// Unwrap returns the cause: an *exec.ExitError, a context's error, or why it could not be run.
func (e *PipeError) Unwrap() error { return e.Err }

// maxOutput is how much of a program's output is kept.
const maxOutput = 500

// A tail keeps the end of what is written to it.
type tail struct {
	text []byte
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > maxOutput {
		p, t.cut = p[n-maxOutput:], true
	}
	if over := len(t.text) + len(p) - maxOutput; over > 0 {
		t.text, t.cut = append(t.text[:0], t.text[over:]...), true
	}
	t.text = append(t.text, p...)
	return n, nil
}

func (t *tail) String() string {
	text := string(bytes.Join(bytes.Fields(t.text), []byte{' '}))
	if t.cut {
		text = "... " + text
	}
	return printable(text, maxOutput+4)
}
