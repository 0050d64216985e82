package imapclient_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/imapclient"
)

// idler is a server with IDLE where no mail comes. It says no more than limit lines, and counts the commands.
func idler(t *testing.T, limit int, idles *atomic.Int32) *imapclient.Client {
	t.Helper()
	near, far := net.Pipe()
	go func() { // ends with the pipe
		defer far.Close()
		said := 0
		say := func(line string) {
			if said++; said <= limit {
				_, _ = io.WriteString(far, line+"\r\n")
			}
		}
		say("* OK [CAPABILITY IMAP4rev1 IDLE] ready")
		tag := ""
		for lines := bufio.NewScanner(far); lines.Scan(); {
			word, command, _ := strings.Cut(lines.Text(), " ")
			switch {
			case word == "DONE":
				say(tag + " OK idle no more")
			case command == "IDLE":
				idles.Add(1)
				tag = word
				say("+ idling")
			case strings.HasPrefix(command, "LOGIN"):
				say(word + " OK [CAPABILITY IMAP4rev1 IDLE] signed in")
			default:
				say(word + " OK done")
			}
		}
	}()
	return dial(t, imapclient.Options{
		Addr: "imap.example.com:143", Security: imapclient.Clear, AllowCleartext: true, User: "bob", Password: "geheim",
		Timeout: time.Minute, DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	})
}

// The command is given again before servers hang up, the context ends it, and a server that is dead does not hold it up.
func TestIdleForLong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		limit int // lines that the server says
		idles int32
		took  time.Duration
		alive bool
	}{
		{"alive", 100, 3, time.Hour, true},
		{"dead after the first IDLE", 3, 2, time.Hour + 5*time.Second, false},
		{"dead at the end", 7, 3, time.Hour + 5*time.Second, false},
		{"dead before", 2, 1, time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var idles atomic.Int32
				c := idler(t, test.limit, &idles)
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := c.Idle(ctx)
				if took := time.Since(begun); err == nil || idles.Load() != test.idles || took != test.took {
					t.Errorf("%v after %v and %d commands, want %v and %d", err, took, idles.Load(), test.took, test.idles)
				}
				if err := c.Noop(t.Context()); (err == nil) != test.alive {
					t.Errorf("afterwards: %v", err)
				}
				if test.alive && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				_ = c.Close()
			})
		})
	}
}
