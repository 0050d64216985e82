package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// maxOutput is how much a program may print, in octets.
	maxOutput = 64 << 10
	// commandTimeout is how long it may take: it may ask a server that is slow.
	commandTimeout = time.Minute
)

// print returns the token that the program prints. What it prints with an end is kept, in memory, until shortly before.
func (s *Source) print(ctx context.Context) (string, error) {
	s.mu.Lock()
	kept := s.printed
	s.mu.Unlock()
	now := s.opt.Now()
	if !kept.Expires.IsZero() && kept.fresh(now) && !s.wasRefused(kept.Access) {
		return kept.Access, nil
	}
	text, err := s.run(ctx)
	if err != nil {
		return "", err
	}
	r := record{Access: text, Obtained: now}
	if strings.HasPrefix(text, "{") {
		var said struct {
			Access  string  `json:"access_token"`
			Seconds float64 `json:"expires_in"`
		}
		if json.Unmarshal([]byte(text), &said) != nil {
			return "", &personError{fmt.Errorf("the command %q prints something like JSON that is none", s.opt.Program[0])}
		}
		r.Access = said.Access
		if said.Seconds > 0 {
			r.Expires = now.Add(time.Duration(min(said.Seconds, 24*3600)) * time.Second)
		}
	}
	if r.Access == "" || strings.ContainsFunc(r.Access, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &personError{fmt.Errorf("the command %q for the token of %s prints no token: it must print that alone, or JSON with access_token", s.opt.Program[0], s.opt.Account)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printed = r
	return r.Access, nil
}

// run runs the program. A failure may pass by itself: it may have asked a server that is away.
func (s *Source) run(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	argv := s.opt.Program
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = 2 * time.Second // for a child of it that keeps the pipe open
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case out.over:
		return "", &personError{fmt.Errorf("the command %q for the token of %s prints more than %d octets", argv[0], s.opt.Account, maxOutput)}
	case ctx.Err() != nil:
		return "", fmt.Errorf("the command %q for the token of %s did not end in time: %w", argv[0], s.opt.Account, ctx.Err())
	case exited:
		return "", fmt.Errorf("the command %q for the token of %s failed with %v, run it by hand to see why", argv[0], s.opt.Account, exit.ProcessState)
	case err != nil:
		return "", &personError{fmt.Errorf("the command %q for the token of %s cannot be run: %w", argv[0], s.opt.Account, err)}
	}
	return strings.TrimSpace(string(out.text)), nil
}

// bounded keeps what a program prints, as far as it fits.
type bounded struct {
	text []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxOutput {
		b.over = true
		return 0, errors.New("more output than fits")
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
