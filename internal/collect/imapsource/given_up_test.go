package imapsource_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
)

// A choosy sink has no room for the message with this UID today, and counts what it takes.
type choosy struct {
	uid   string
	taken int
}

func (c *choosy) Name() string { return "choosy" }
func (c *choosy) Safe() bool   { return true }
func (c *choosy) Close() error { return nil }
func (c *choosy) Begin(_ context.Context, l collect.Letter) (collect.Delivery, error) {
	if l.UID == c.uid {
		return nil, &collect.TemporaryError{Err: errors.New("452 too much for today")}
	}
	return taking{c}, nil
}

type taking struct{ *choosy }

func (t taking) Write(p []byte) (int, error)  { return len(p), nil }
func (t taking) Commit(context.Context) error { t.taken++; return nil }
func (t taking) Abort()                       {}

// A long message that no sink takes ends the session. The one behind it is not blamed for that, and comes.
func TestLongMessageThatIsGivenUp(t *testing.T) {
	t.Parallel()
	long, short := "Subject: long\r\n\r\n"+strings.Repeat(strings.Repeat("y", 70)+"\r\n", (9<<20)/72), "Subject: short\r\n\r\nHello.\r\n"
	server := &scripted{
		answers: map[string]string{"EXAMINE": "* 2 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 9] x\r\nTAG OK done"},
		serve: func(line string, _ *bufio.Reader, w io.Writer) bool {
			tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
			set, asked := strings.CutPrefix(command, "UID FETCH ")
			switch {
			case asked && strings.HasPrefix(set, "7"):
				_, _ = fmt.Fprintf(w, "* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\n%s OK done\r\n", len(long), long, tag)
			case asked:
				_, _ = fmt.Fprintf(w, "* 2 FETCH (UID 8 BODY[] {%d}\r\n%s)\r\n%s OK done\r\n", len(short), short, tag)
			case strings.HasPrefix(command, "FETCH "):
				_, _ = fmt.Fprintf(w, "* 1 FETCH (UID 7 RFC822.SIZE %d FLAGS ())\r\n* 2 FETCH (UID 8 RFC822.SIZE %d FLAGS ())\r\n%s OK done\r\n",
					len(long), len(short), tag)
			default:
				return false
			}
			return true
		},
	}
	sink := &choosy{uid: "5.7"}
	account := collect.Account{Name: "a", Source: server.source(t, nil), Sinks: []collect.Sink{sink}}
	var failed []string
	options := collect.Options{Journal: journal(t), Progress: func(e collect.Event) {
		if e.Kind == collect.EventFailed {
			failed = append(failed, e.UID)
		}
	}}
	const runs = 7 // more than MaxAttempts
	for n := range runs {
		rep, err := collect.Run(t.Context(), account, options)
		if len(rep.SetAside) > 0 || collect.Classify(err) != collect.Temporary {
			t.Errorf("run %d: %v, %+v", n, err, rep)
		}
	}
	if !slices.Equal(failed, slices.Repeat([]string{"5.7"}, runs)) || sink.taken != 1 {
		t.Errorf("these failed: %q; %d messages came, want the short one", failed, sink.taken)
	}
}
