package pop3client_test

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// far is a canned server at a distance: what it answers to a write arrives a round trip later.
type far struct {
	canned
	roundTrip time.Duration
	arrives   []time.Time // of canned.pending
}

func (f *far) Write(p []byte) (int, error) {
	n, err := f.canned.Write(p)
	for len(f.arrives) < len(f.pending) {
		f.arrives = append(f.arrives, time.Now().Add(f.roundTrip))
	}
	return n, err
}

func (f *far) Read(p []byte) (int, error) {
	if len(f.arrives) > 0 {
		<-time.After(time.Until(f.arrives[0]))
	}
	before := len(f.pending)
	n, err := f.canned.Read(p)
	if len(f.pending) < before {
		f.arrives = f.arrives[1:]
	}
	return n, err
}

// TestBatchLatency: draining 1,000 messages of 5 KB over a round trip of 50 ms takes a round trip for 50 messages, and
// without pipelining one for each.
func TestBatchLatency(t *testing.T) {
	t.Parallel()
	const messages, roundTrip = 1000, 50 * time.Millisecond
	answers := cannedAnswers(messages, 5<<10)
	for _, test := range []struct {
		name  string
		never bool
		most  time.Duration
		least time.Duration
	}{
		{"pipelined", false, messages / 50 * roundTrip, 0},
		{"one by one", true, messages * roundTrip, messages * roundTrip},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conn := &far{canned: canned{answers: answers, pending: []string{"+OK\r\n"}}, roundTrip: roundTrip, arrives: []time.Time{time.Now()}}
				c, err := pop3client.NewClient(t.Context(), conn, "h", &pop3client.Options{Security: pop3client.Clear, NoPipelining: test.never})
				if err != nil {
					t.Fatal(err)
				}
				if capa, err := c.Capa(t.Context()); err != nil || !capa.Has("PIPELINING") {
					t.Fatalf("Capa: %v, %v", capa, err)
				}
				start := time.Now()
				ops := slices.Repeat([]pop3client.Op{{Verb: pop3client.RETR, Num: 1, Size: 5 << 10}}, messages)
				octets := int64(0)
				for r, err := range c.Batch(t.Context(), slices.Values(ops)) {
					if err != nil {
						t.Fatal(err)
					}
					n, err := io.Copy(io.Discard, r.Message)
					if err != nil {
						t.Fatal(err)
					}
					octets += n
				}
				took := time.Since(start)
				t.Logf("%d octets in %v", octets, took)
				if octets != messages*5<<10 || took > test.most || took < test.least {
					t.Errorf("%d octets in %v, want %v to %v", octets, took, test.least, test.most)
				}
			})
		})
	}
}
