package office

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/postamt/postamt/internal/argv"
	"github.com/postamt/postamt/internal/collect"
)

// filterTimeout is how long a filter may look at one header.
const filterTimeout = time.Minute

// headerFilter returns a filter for collect.Rules that asks a program. Its exit status is its verdict: 0 fetch, 1 delete
// without fetching, 2 leave. Everything else, a signal or a time-out among it, is no verdict: the message is asked about
// again at the next run.
func headerFilter(program []string) func(context.Context, []byte) (collect.Verdict, error) {
	return func(ctx context.Context, header []byte) (collect.Verdict, error) {
		ctx, cancel := context.WithTimeout(ctx, filterTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, program[0], program[1:]...)
		cmd.Stdin = bytes.NewReader(header)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its children go with it
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = 2 * time.Second
		err := cmd.Run()
		exit, exited := errors.AsType[*exec.ExitError](err)
		switch {
		case ctx.Err() != nil:
			return collect.Leave, fmt.Errorf("the filter %s did not end in time: %w", program[0], ctx.Err())
		case err == nil:
			return collect.Fetch, nil
		case exited && exit.ExitCode() == 1:
			return collect.Discard, nil
		case exited && exit.ExitCode() == 2:
			return collect.Leave, nil
		case exited:
			return collect.Leave, fmt.Errorf("the filter %s ended with %v; 0 is fetch, 1 delete, 2 leave", program[0], exit.ProcessState)
		}
		return collect.Leave, fmt.Errorf("the filter cannot be run: %w", err)
	}
}

// filterReady tells before each run whether the filter can be asked.
func filterReady(program []string) func(context.Context) error {
	return func(context.Context) error {
		switch err := argv.Find(program[0], ""); {
		case err == nil:
			return nil
		case argv.MayPass(err):
			return &collect.TemporaryError{Err: fmt.Errorf("filter: %w", err)}
		default:
			return &collect.PermanentError{Err: fmt.Errorf("filter: %w", err)}
		}
	}
}
