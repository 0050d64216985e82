package pop3test_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/pop3/pop3test"
)

// play plays script while client is run at the other end of a pipe.
func play(t *testing.T, script pop3test.Script, client func(conn net.Conn)) error {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- script.Play(t.Context(), there) }()
	client(here)
	here.Close()
	return <-done
}

func TestScript(t *testing.T) {
	t.Parallel()
	script := pop3test.Dialogue(`
		S: +OK ready
		C: NOOP
		S: +OK
		S:
		S: end
	`).Then(pop3test.SendSegments("a", "b"), pop3test.SendRepeated("xy", 3))
	var got []byte
	err := play(t, script, func(conn net.Conn) {
		buf := make([]byte, 100)
		n, _ := conn.Read(buf)
		got = append(got, buf[:n]...)
		fmt.Fprint(conn, "NOOP\r\n")
		rest, _ := io.ReadAll(conn)
		got = append(got, rest...)
	})
	if want := "+OK ready\r\n+OK\r\n\r\nend\r\nabxyxyxy"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestScriptSegments: on a pipe each segment is one read.
func TestScriptSegments(t *testing.T) {
	t.Parallel()
	script := pop3test.Script{pop3test.SendSegments("+O", "K\r\n"), pop3test.Reply("a", "b")}
	for size, want := range map[int][]string{
		100: {"+O", "K\r\n", "a\r\nb\r\n"},
		2:   {"+O", "K\r", "\n", "a\r", "\nb", "\r\n"},
	} {
		var got []string
		err := play(t, script.Segmented(size), func(conn net.Conn) {
			buf := make([]byte, 100)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				got = append(got, string(buf[:n]))
			}
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("in segments of %d: %q, %v, want %q", size, got, err, want)
		}
	}
}

// TestScriptMismatch: whatever the client does differently is an error that says where and what.
func TestScriptMismatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		script pop3test.Script
		says   string
		want   string
	}{
		{"another line", pop3test.Dialogue("C: NOOP"), "QUIT\r\n", `step 1 of 1 (Expect "NOOP"): got "QUIT\r\n", want "NOOP\r\n"`},
		{"bare LF", pop3test.Dialogue("C: NOOP"), "NOOP\n", `got "NOOP\n"`},
		{"half a line", pop3test.Dialogue("C: NOOP"), "NOO", `only "NOO" came`},
		{"nothing", pop3test.Dialogue("C: NOOP"), "", pop3test.ErrHungUp.Error()},
		{"line without end", pop3test.Dialogue("C: NOOP"), strings.Repeat("x", pop3test.MaxScriptLine+1), "line of more than 65536 octets"},
		{"something", pop3test.Script{pop3test.ExpectHangUp()}, "QUIT", `got "Q`},
		{"own check", pop3test.Script{pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
			return nil, errors.New("not " + line)
		})}, "NOOP\r\n", "not NOOP"},
		{"own check, bare LF", pop3test.Script{pop3test.ExpectFunc(func(string) (pop3test.Script, error) { return nil, nil })}, "NOOP\n", "ends with CRLF"},
		{"nobody reads", pop3test.Script{pop3test.Reply("+OK")}, "", pop3test.ErrHungUp.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := play(t, test.script, func(conn net.Conn) {
				if test.says != "" { // an empty write waits for a reader
					io.WriteString(conn, test.says)
				}
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestFaultAfter: exactly so many octets come, at every place.
func TestFaultAfter(t *testing.T) {
	t.Parallel()
	script := pop3test.Dialogue("S: +OK ready\nS: again\nS: and again")
	whole := "+OK ready\r\nagain\r\nand again\r\n"
	if got := script.Octets(); got != len(whole) {
		t.Errorf("Octets() = %d, want %d", got, len(whole))
	}
	for n := range len(whole) + 1 {
		var got []byte
		err := play(t, script.FaultAfter(n, pop3test.Cut()), func(conn net.Conn) { got, _ = io.ReadAll(conn) })
		if err != nil || string(got) != whole[:n] {
			t.Errorf("after %d octets: %q, %v", n, got, err)
		}
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := play(t, pop3test.Script{pop3test.Stall(time.Hour), pop3test.Reply("+OK")}, func(conn net.Conn) {
			if b, err := io.ReadAll(conn); string(b) != "+OK\r\n" || err != nil {
				t.Errorf("after the stall: %q, %v", b, err)
			}
		})
		if took := time.Since(start); err != nil || took != time.Hour {
			t.Errorf("played in %v, %v", took, err)
		}
		// Who hangs up in a stall need not wait for its end.
		start = time.Now()
		err = play(t, pop3test.Script{pop3test.Stall(time.Hour), pop3test.Reply("+OK")}, func(conn net.Conn) {
			io.WriteString(conn, "NOOP\r\n")
		})
		if took := time.Since(start); err != nil || took != 0 {
			t.Errorf("hung up: played in %v, %v", took, err)
		}
	})
}

// TestStepTimeout: a client that neither sends nor reads does not hold a script for ever.
func TestStepTimeout(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]pop3test.Step{
		"Expect": pop3test.Expect("NOOP"), "Send": pop3test.Send("+OK"), "ExpectHangUp": pop3test.ExpectHangUp(),
		"SendRepeated": pop3test.SendRepeated("x", 1<<40), "StartTLS": pop3test.StartTLS(&tls.Config{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				defer here.Close()
				start := time.Now()
				err := pop3test.Script{step}.Play(t.Context(), there)
				if took := time.Since(start); err == nil || errors.Is(err, pop3test.ErrHungUp) || took != pop3test.StepTimeout {
					t.Errorf("gave up after %v with %v", took, err)
				}
			})
		})
	}
}

func TestPlayCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	here, there := net.Pipe()
	defer here.Close()
	script := pop3test.Script{pop3test.Call(cancel), pop3test.Expect("NOOP")}
	if err := script.Play(ctx, there); !errors.Is(err, context.Canceled) {
		t.Errorf("Play: %v, want context.Canceled", err)
	}
}

// TestScriptedPeer: scripts go to connections in turn, over pipe, TCP and TLS.
func TestScriptedPeer(t *testing.T) {
	t.Parallel()
	cert, pool := pop3test.NewCertificate(t, "localhost")
	peer := pop3test.NewScriptedPeers(t,
		pop3test.Script{pop3test.Reply("first")},
		pop3test.Script{pop3test.StartTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), pop3test.Reply("further")},
	)
	addr := peer.Listen()
	var got bytes.Buffer
	for i, dial := range []func() (net.Conn, error){
		func() (net.Conn, error) { return peer.DialContext(t.Context(), "tcp", "h") },
		func() (net.Conn, error) { return peer.DialTCP(t.Context(), "tcp", "h") },
		func() (net.Conn, error) { return net.Dial("tcp", addr) },
	} {
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			conn = tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		}
		if _, err := io.Copy(&got, conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		conn.Close()
		if err := peer.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if want := "first\r\nfurther\r\nfurther\r\n"; got.String() != want || peer.Conns() != 3 {
		t.Errorf("got %q from %d connections, want %q from 3", got.String(), peer.Conns(), want)
	}
}

func TestDialoguePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a line that is neither S: nor C: was taken")
		}
	}()
	pop3test.Dialogue("X: what?")
}

// Cut a dialogue after so many octets of the server's.
func ExampleScript_FaultAfter() {
	script := pop3test.Dialogue(`
		S: +OK ready
		C: STAT
		S: +OK 2 320
	`)
	for _, n := range []int{0, 5, script.Octets()} {
		here, there := net.Pipe()
		played := make(chan error)
		go func() { played <- script.FaultAfter(n, pop3test.Cut()).Play(context.Background(), there) }()
		go fmt.Fprint(here, "STAT\r\n") // the client under test
		b, _ := io.ReadAll(here)
		here.Close()
		fmt.Printf("%d octets: %q, script: %v\n", n, b, <-played)
	}
	// Output:
	// 0 octets: "", script: <nil>
	// 5 octets: "+OK r", script: <nil>
	// 22 octets: "+OK ready\r\n+OK 2 320\r\n", script: <nil>
}
