package pop3test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postamt/postamt/sasl"
)

// Play plays the transcript to the server and returns an error, with the file's line, where the server does anything else
// than what is written. The accounts must be there already. Every connection is closed when it returns.
func (tr *Transcript) Play(ctx context.Context, target Target) error {
	p := &dialogue{target: target, conns: map[int]*visit{}, vars: map[string]string{}}
	defer p.closeAll()
	for i := 0; i < len(tr.steps); i++ {
		s := tr.steps[i]
		// Lines of the client that follow each other go out together, as a pipelining client sends them.
		batch := []transcriptStep{s}
		for s.kind == "C" && i+1 < len(tr.steps) && tr.steps[i+1].kind == "C" && tr.steps[i+1].conn == s.conn {
			i++
			batch = append(batch, tr.steps[i])
		}
		if err := p.play(ctx, batch); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", tr.Name, s.line, s.kind, err)
		}
	}
	return p.left(tr.Name)
}

// dialogue is the state of one play of a transcript.
type dialogue struct {
	target Target
	conns  map[int]*visit
	vars   map[string]string
}

// visit is one connection to the server.
type visit struct {
	net.Conn
	r *bufio.Reader
	// wrote gives the outcome of the writes that are under way, if any: what a client pipelines is written while the
	// responses are read, or both ends could wait for each other.
	wrote chan error
	// searched are the lines of the multi-line response that S-HAS and its kin look through, its end included.
	searched []string
}

// play plays one step, or several of kind C.
func (p *dialogue) play(ctx context.Context, batch []transcriptStep) error {
	s := batch[0]
	if s.kind == "C-LOGIN" {
		return p.login(ctx, s)
	}
	v, err := p.visit(ctx, s.conn)
	if err != nil {
		return err
	}
	// A connection that has ended has no deadline; whether it should have ended is for the step to judge.
	_ = v.SetDeadline(time.Now().Add(TranscriptTimeout))
	switch s.kind {
	case "C":
		var out []byte
		for _, s := range batch {
			text, err := p.expand(s.text)
			if err != nil {
				return err
			}
			out = append(append(out, text...), "\r\n"...)
		}
		v.write(out)
		return nil
	case "C-RAW":
		v.write(s.octets)
		return nil
	case "C-REPEAT":
		v.write(bytes.Repeat(s.octets, s.times))
		return nil
	case "C-TLS":
		return p.startTLS(ctx, s.conn)
	case "C-AUTH":
		return v.authenticate(s.words[0], s.words[1], s.words[2])
	case "C-CLOSE":
		delete(p.conns, s.conn)
		defer v.Close()
		return v.wait()
	case "C-CUT":
		delete(p.conns, s.conn)
		return v.cut()
	case "S-CLOSE":
		delete(p.conns, s.conn)
		defer v.Close()
		return v.expectEnd()
	}
	return p.expect(v, s)
}

// visit returns the connection with this number and makes it if need be.
func (p *dialogue) visit(ctx context.Context, num int) (*visit, error) {
	if v, ok := p.conns[num]; ok {
		return v, nil
	}
	ctx, cancel := context.WithTimeout(ctx, TranscriptTimeout)
	defer cancel()
	conn, err := p.target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	v := &visit{Conn: conn, r: bufio.NewReader(conn)}
	p.conns[num] = v
	return v, nil
}

// closeAll closes every connection and waits for the writes that were under way.
func (p *dialogue) closeAll() {
	for _, v := range p.conns {
		_ = v.Close()
		_ = v.wait()
	}
}

// left waits until everything is written and returns an error if the server has said something that nobody expected. It
// can only know what has arrived.
func (p *dialogue) left(name string) error {
	for _, v := range p.conns {
		if err := v.wait(); err != nil {
			return fmt.Errorf("%s: after the last line: %w", name, err)
		}
		if n := v.r.Buffered(); n > 0 {
			b, _ := v.r.Peek(min(n, 80))
			return fmt.Errorf("%s: after the last line the server says %q", name, b)
		}
	}
	return nil
}

// write writes b behind what is still to be written, and does not wait for it.
func (v *visit) write(b []byte) {
	before, wrote := v.wrote, make(chan error, 1)
	v.wrote = wrote
	go func(conn net.Conn) {
		if before != nil {
			if err := <-before; err != nil {
				wrote <- err
				return
			}
		}
		_, err := conn.Write(b)
		wrote <- err
	}(v.Conn)
}

// wait waits for the writes that are under way. That the server has hung up meanwhile is for the steps after it to judge.
func (v *visit) wait() error {
	if v.wrote == nil {
		return nil
	}
	err := <-v.wrote
	v.wrote = nil
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("server does not read: %w", err)
	}
	return nil
}

// cut ends the connection at once, without the close_notify that TLS ends with.
func (v *visit) cut() error {
	if tc, ok := v.Conn.(*tls.Conn); ok {
		_ = tc.NetConn().Close()
	}
	_ = v.Close()
	return v.wait()
}

// readLine reads a line and takes its CRLF away.
func (v *visit) readLine() (string, error) {
	var line []byte
	for {
		part, err := v.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxTranscriptLine {
			return "", fmt.Errorf("server sends a line of more than %d octets", MaxTranscriptLine)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return "", errors.New("server has closed the connection")
		case err != nil:
			return "", fmt.Errorf("server sends %.200q, then %w", line, err)
		}
		text, ok := strings.CutSuffix(string(line), "\r\n")
		if !ok {
			return "", fmt.Errorf("server ends a line without CR: %.200q", line)
		}
		return text, nil
	}
}

// expectEnd wants the end of the connection and no octet before it.
func (v *visit) expectEnd() error {
	if err := v.wait(); err != nil {
		return err
	}
	b := make([]byte, 80)
	n, err := v.r.Read(b)
	switch {
	case n > 0:
		return fmt.Errorf("server says %q, the connection should end", b[:n])
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the connection should end: %w", err)
	}
	return nil
}

// startTLS makes the client's handshake on a connection.
func (p *dialogue) startTLS(ctx context.Context, num int) error {
	v := p.conns[num]
	if err := v.wait(); err != nil {
		return err
	}
	if p.target.TLS == nil {
		return errors.New("the target has no TLS configuration")
	}
	if n := v.r.Buffered(); n > 0 {
		b, _ := v.r.Peek(n)
		return fmt.Errorf("server says %q before the handshake", b)
	}
	conn := tls.Client(v.Conn, p.target.TLS)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	p.conns[num] = &visit{Conn: conn, r: bufio.NewReader(conn)}
	return nil
}

// variable is ${name}, ${apop SECRET} or ${base64 "OCTETS"}.
var variable = regexp.MustCompile(`\$\{(\w+)(?: ([^}]*))?\}`)

// expand replaces the variables in a line.
func (p *dialogue) expand(text string) (string, error) {
	var failed error
	text = variable.ReplaceAllStringFunc(text, func(m string) string {
		sub := variable.FindStringSubmatch(m)
		switch name, arg := sub[1], sub[2]; {
		case name == "apop" && arg != "":
			return sasl.APOPDigest(p.vars["timestamp"], []byte(arg))
		case name == "base64" && arg != "":
			octets, err := strconv.Unquote(arg)
			failed = errors.Join(failed, err)
			return base64.StdEncoding.EncodeToString([]byte(octets))
		}
		value, ok := p.vars[sub[1]]
		if !ok {
			failed = errors.Join(failed, fmt.Errorf("variable %s was not captured before", m))
		}
		return value
	})
	return text, failed
}
