package secret

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Command returns a Source that runs a program, without a shell, and takes the first line it prints.
func Command(argv []string) (Source, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("the password command is empty; name a program")
	}
	return command{argv: append([]string(nil), argv...), timeout: CommandTimeout}, nil
}

type command struct {
	argv    []string
	timeout time.Duration
}

// String names the program only: arguments may tell too much.
func (c command) String() string { return fmt.Sprintf("the command %q", c.argv[0]) }

func (c command) Get(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	// Not a process group of its own: a pinentry on this terminal could not read there.
	cmd.WaitDelay = 2 * time.Second // for a child of it that keeps the pipe open
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.over:
		return "", fmt.Errorf("%s for the password printed more than %d octets; it must print the password only", c, MaxOutput)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("%s for the password did not end within %v: %w", c, c.timeout, ctx.Err())
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s for the password was stopped: %w", c, ctx.Err())
	case errors.As(err, &exit):
		return "", fmt.Errorf("%s for the password failed with %v; run it by hand to see why", c, exit.ProcessState)
	case err != nil:
		return "", fmt.Errorf("%s for the password cannot be run: %w", c, err)
	}
	return firstLine(c.String(), out.text)
}

// errOutput ends a program that prints too much.
var errOutput = errors.New("more output than fits")

// bounded keeps what a program prints, as far as it fits.
type bounded struct {
	text []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > MaxOutput {
		b.over = true
		return 0, errOutput
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
