package pop3test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Send sends the octets as they are, in one segment.
func Send(octets string) Step {
	return Step{name: fmt.Sprintf("Send %.60q", octets), sends: [][]byte{[]byte(octets)}}
}

// SendSegments sends each string in a segment of its own.
func SendSegments(segments ...string) Step {
	step := Step{name: fmt.Sprintf("SendSegments %.60q", segments)}
	for _, s := range segments {
		step.sends = append(step.sends, []byte(s))
	}
	return step
}

// Reply sends lines, each with CRLF behind it, in one segment.
func Reply(lines ...string) Step {
	return Send(strings.Join(lines, "\r\n") + "\r\n")
}

// SendRepeated sends octets n times over without holding more than 64 KiB of it. FaultAfter does not reach into it.
func SendRepeated(octets string, n int64) Step {
	return Step{name: fmt.Sprintf("SendRepeated %.60q %d times", octets, n), run: func(p *player) error {
		per := max(1, int64(64<<10)/int64(max(1, len(octets))))
		block := []byte(strings.Repeat(octets, int(min(per, n))))
		for left := n; left > 0; left -= per {
			b := block[:min(int64(len(block)), left*int64(len(octets)))]
			p.conn.SetWriteDeadline(time.Now().Add(p.timeout))
			if _, err := p.conn.Write(b); err != nil {
				return hungUp(err)
			}
		}
		return nil
	}}
}

// Expect reads a line and fails unless it is exactly this one with CRLF behind it.
func Expect(line string) Step {
	return Step{name: fmt.Sprintf("Expect %.60q", line), run: func(p *player) error {
		got, err := p.readLine()
		if err != nil {
			return err
		}
		if got != line+"\r\n" {
			return fmt.Errorf("got %.300q, want %.300q", got, line+"\r\n")
		}
		return nil
	}}
}

// ExpectFunc reads a line, with CRLF behind it, and hands it without CRLF to check, which may return further steps to be
// played at once: that is how a script answers what it cannot know beforehand.
func ExpectFunc(check func(line string) (Script, error)) Step {
	return Step{name: "ExpectFunc", run: func(p *player) error {
		got, err := p.readLine()
		if err != nil {
			return err
		}
		line, ok := strings.CutSuffix(got, "\r\n")
		if !ok {
			return fmt.Errorf("got %.300q, want a line that ends with CRLF", got)
		}
		then, err := check(line)
		if err != nil {
			return err
		}
		for _, step := range then {
			if err := p.play(step); err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
		}
		return nil
	}}
}

// ExpectHangUp fails unless the other end closes the connection and sends nothing before.
func ExpectHangUp() Step {
	return Step{name: "ExpectHangUp", run: func(p *player) error {
		p.conn.SetReadDeadline(time.Now().Add(p.timeout))
		b, err := p.r.ReadByte()
		if err == nil {
			rest, _ := p.r.Peek(min(p.r.Buffered(), 80))
			return fmt.Errorf("got %q, want the connection closed", append([]byte{b}, rest...))
		}
		if errors.Is(hungUp(err), ErrHungUp) {
			return nil
		}
		return err
	}}
}

// MayHangUp says that from here on the other end may hang up at any time: that ends the script without an error.
func MayHangUp() Step {
	return Step{name: "MayHangUp", run: func(p *player) error { p.mayHangUp = true; return nil }}
}

// Cut closes the connection in the ordinary way.
func Cut() Step {
	return Step{name: "Cut", run: func(p *player) error { p.conn.Close(); return nil }}
}

// Reset closes the connection so that the other end sees a reset, where there is such a thing (plain TCP); else it is Cut.
func Reset() Step {
	return Step{name: "Reset", run: func(p *player) error {
		if tcp, ok := p.conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		p.conn.Close()
		return nil
	}}
}

// Stall is silent for d. What the other end sends meanwhile is thrown away. If the other end hangs up meanwhile, that ends
// the script without an error.
func Stall(d time.Duration) Step {
	return Step{name: "Stall " + d.String(), run: func(p *player) error {
		p.conn.SetReadDeadline(time.Now().Add(d))
		_, err := io.Copy(io.Discard, p.r)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil
		}
		return errEnd
	}}
}

// Call calls f, for instance to cancel a context at an exact point of the dialogue.
func Call(f func()) Step {
	return Step{name: "Call", run: func(*player) error { f(); return nil }}
}
