package pop3test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// playAgainst plays a dialogue to a function that has the server's end.
func playAgainst(t *testing.T, dialogue string, server func(net.Conn)) (took time.Duration, err error) {
	t.Helper()
	tr, err := ParseTranscript("t", []byte("-- dialogue --\n"+dialogue))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	began := time.Now()
	err = tr.Play(t.Context(), Target{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer close(done)
			defer theirs.Close()
			server(theirs)
		}()
		return ours, nil
	}})
	took = time.Since(began)
	<-done
	return took, err
}

// A server that says nothing and reads nothing holds a step up for TranscriptTimeout and no longer.
func TestTranscriptTimeout(t *testing.T) {
	t.Parallel()
	for _, dialogue := range []string{
		"S: +OK", `S-RAW: "x"`, "S-HAS: x", "S-CLOSE:", "C: NOOP\nS: +OK", `C-RAW: "x"`, "C-LOGIN: a b", "C-AUTH: PLAIN a b",
		"C: a\nC-CLOSE:", "C: a\nC: b",
	} {
		t.Run(dialogue, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leave := make(chan struct{})
				time.AfterFunc(time.Hour, func() { close(leave) })
				took, err := playAgainst(t, dialogue, func(net.Conn) { <-leave })
				if err == nil || took != TranscriptTimeout {
					t.Errorf("Play ends after %v with %v", took, err)
				}
			})
		})
	}
}

func TestTranscriptBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, dialogue, want string
		server               func(net.Conn)
	}{
		{"longest line", "S/: x*", "", func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Repeat("x", MaxTranscriptLine-2)+"\r\n")
		}},
		{"line too long", "S/: x*", "a line of more than", func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Repeat("x", MaxTranscriptLine-1)+"\r\n")
		}},
		{"most lines", "S-HAS: x", "", func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Repeat("x\r\n", MaxTranscriptLines)+".\r\n")
		}},
		{"too many lines", "S-HAS: x", "too many lines", func(c net.Conn) {
			_, _ = io.WriteString(c, strings.Repeat("x\r\n", MaxTranscriptLines+1)+".\r\n")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := playAgainst(t, tt.dialogue, tt.server)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Play: %v; want %q", err, tt.want)
			}
		})
	}
}
