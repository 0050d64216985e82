package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/postamt/postamt/bench/internal/lmtp"
	"github.com/postamt/postamt/bench/internal/mailgen"
)

func containsLine(text []byte, prefix string) bool {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return true
		}
	}
	return false
}

// reload changes the configuration again and again: an address comes and goes. A session that came in by it stays.
func (s *soak) reload(ctx context.Context) {
	for pause(ctx, s.think(2*time.Second)) {
		s.try("reload", func() error {
			if err := s.d.configure(true); err != nil {
				return err
			}
			if _, err := s.d.command(ctx, "", "reload"); err != nil {
				return ended(ctx, err)
			}
			c, err := dial(s.d.extra, plain, nil)
			if err != nil {
				return fmt.Errorf("the address that was added: %w", err)
			}
			defer c.Close()
			if err := s.d.configure(false); err != nil {
				return err
			}
			if rand.IntN(2) == 0 {
				if _, err := s.d.command(ctx, "", "reload"); err != nil {
					return ended(ctx, err)
				}
			} else if err := s.d.hangup(); err != nil {
				return err
			}
			s.count.reloads.Add(2)
			pause(ctx, 500*time.Millisecond)
			if _, err := c.Cmd("CAPA"); err != nil {
				return fmt.Errorf("a session across a reload: %w", err)
			}
			if _, err := c.Multi(nil); err != nil {
				return err
			}
			return c.Quit()
		})
	}
}

// ended turns errors into none once ctx has ended, for commands are killed then.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// comeAndGo adds accounts of a few names again and again, uses and removes them. Each time they must be empty.
func (s *soak) comeAndGo(ctx context.Context) {
	g := mailgen.New(s.seed, 1000)
	for n := 0; ctx.Err() == nil; n++ {
		user := fmt.Sprintf("guest%d", n%20)
		s.try("account", func() error {
			if err := s.d.addAccount(ctx, user); err != nil {
				return ended(ctx, err)
			}
			err := s.stay(user, g)
			// Removed even when ctx has ended: the next to come must find nothing.
			if _, e := s.d.command(context.Background(), "", "account", "remove", "--yes", user); e != nil {
				return errors.Join(err, e)
			}
			s.count.accounts.Add(1)
			return errors.Join(err, s.stranger(user))
		})
		pause(ctx, s.think(3*time.Second))
	}
}

// stay delivers to a new account, fetches and deletes.
func (s *soak) stay(user string, g *mailgen.Gen) error {
	b := newBox(user)
	buf := make([]byte, 64<<10)
	if err := s.visit(b, buf, (*visit).poll); err != nil { // nothing of the one before
		return err
	}
	c, err := lmtp.Dial(s.d.lmtp, sessionTime)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 5 {
		if err := deliver(c, b, g.Message(0, 3000)); err != nil {
			return err
		}
	}
	if err := c.Quit(); err != nil {
		return err
	}
	if err := s.visit(b, buf, (*visit).fetchAndDelete); err != nil {
		return err
	}
	return s.visit(b, buf, (*visit).fetch)
}

// stranger wants nobody of that name to get in, and no mail to be taken for them.
func (s *soak) stranger(user string) error {
	reply, err := s.wrong(user) // from some other address: failures slow sign-ins from there down
	if err != nil {
		return err
	}
	if !containsLine(reply, "-ERR [AUTH]") {
		return fmt.Errorf("%s was removed and signs in: %q", user, reply)
	}
	c, err := lmtp.Dial(s.d.lmtp, sessionTime)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Cmd("250", "MAIL FROM:<sender@example.org>"); err != nil {
		return err
	}
	if err := c.Cmd("550", "RCPT TO:<"+user+">"); err != nil {
		return fmt.Errorf("mail for %s, who was removed: %w", user, err)
	}
	return c.Quit()
}
