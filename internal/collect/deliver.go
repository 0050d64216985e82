package collect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
)

// crlf is CR LF.
var crlf = []byte("\r\n")

// A target is a delivery to one sink.
type target struct {
	sink     Sink
	delivery Delivery
	err      error // why it failed
	done     bool
	aborted  bool
}

// A fanOut writes a message to several sinks at once, with CRLF line ends. A sink that fails is left out from then on.
type fanOut struct {
	targets []*target
	cr      bool // the last octet was CR
	octets  int64
}

// beginAll starts a delivery at each sink that does not have the letter yet.
func beginAll(ctx context.Context, sinks []Sink, have []string, letter Letter) *fanOut {
	f := &fanOut{}
	for _, s := range sinks {
		if slices.Contains(have, s.Name()) {
			continue
		}
		t := &target{sink: s}
		t.delivery, t.err = s.Begin(ctx, letter)
		f.targets = append(f.targets, t)
	}
	return f
}

// Write fails only when no sink is left.
func (f *fanOut) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			f.put(rest)
			f.cr = rest[len(rest)-1] == '\r'
			break
		}
		if i > 0 && rest[i-1] != '\r' || i == 0 && !f.cr {
			f.put(rest[:i])
			f.put(crlf)
			rest, f.cr = rest[i+1:], false
			continue
		}
		// A run of lines that end well goes in one piece.
		j := i + 1
		for j < len(rest) {
			k := bytes.IndexByte(rest[j:], '\n')
			if k < 1 || rest[j+k-1] != '\r' {
				break
			}
			j += k + 1
		}
		f.put(rest[:j])
		rest, f.cr = rest[j:], false
	}
	if f.over() {
		return len(p), errNoSink
	}
	return len(p), nil
}

// errNoSink: no sink takes the message any longer.
var errNoSink = errors.New("no destination takes the message")

func (f *fanOut) put(p []byte) {
	f.octets += int64(len(p))
	for _, t := range f.targets {
		if t.err == nil {
			if _, err := t.delivery.Write(p); err != nil {
				t.fail(err)
			}
		}
	}
}

func (t *target) fail(err error) {
	t.err = err
	t.delivery.Abort()
}

// over reports whether every sink has failed.
func (f *fanOut) over() bool {
	return !slices.ContainsFunc(f.targets, func(t *target) bool { return t.err == nil })
}

// abort gives up what is not committed.
func (f *fanOut) abort() {
	for _, t := range f.targets {
		if t.err == nil && !t.done && !t.aborted {
			t.aborted = true
			t.delivery.Abort()
		}
	}
}

// commit makes the message durable, first in the sinks where a repetition does no harm: if one of them fails, the others
// have not been given the message for nothing. step is called before each.
func (f *fanOut) commit(ctx context.Context, step func(string)) {
	for _, safe := range []bool{true, false} {
		for _, t := range f.targets {
			if t.err != nil || t.sink.Safe() != safe {
				continue
			}
			step("commit")
			if err := t.delivery.Commit(ctx); err != nil {
				t.fail(err)
				continue
			}
			t.done = true
		}
		if slices.ContainsFunc(f.targets, func(t *target) bool { return t.err != nil }) {
			break
		}
	}
	f.abort()
}

// result returns which sinks have the message now, and what the others said.
func (f *fanOut) result() (done []string, err error) {
	var errs []error
	for _, t := range f.targets {
		switch {
		case t.done:
			done = append(done, t.sink.Name())
		case t.err != nil:
			errs = append(errs, &SinkError{Sink: t.sink.Name(), Err: t.err})
		default:
			errs = append(errs, &SinkError{Sink: t.sink.Name(), Err: &TemporaryError{errors.New("waits until the other destinations take the message")}})
		}
	}
	return done, errors.Join(errs...)
}

// lasting reports whether one of the sinks has said its final word on the message.
func (f *fanOut) lasting() bool {
	return slices.ContainsFunc(f.targets, func(t *target) bool {
		var temporary *TemporaryError
		return t.err != nil && !errors.As(t.err, &temporary) && !t.closed()
	})
}

// closed reports whether the sink takes nothing until a person does something.
func (t *target) closed() bool { return t.err != nil && Classify(t.err) == Permanent }

// closed returns what such a sink says, nil if there is none.
func (f *fanOut) closed() error {
	if i := slices.IndexFunc(f.targets, (*target).closed); i >= 0 {
		return &SinkError{Sink: f.targets[i].sink.Name(), Err: f.targets[i].err}
	}
	return nil
}

// A meter counts what is read, slows it down and reports it.
type meter struct {
	io.Reader
	pace *pace
	ctx  context.Context // of the one message it reads
	told func(n int)
}

func (m *meter) Read(p []byte) (int, error) {
	if m.pace != nil {
		p = p[:min(len(p), m.pace.most())]
	}
	n, err := m.Reader.Read(p)
	m.told(n)
	if m.pace != nil && n > 0 {
		if err := m.pace.wait(m.ctx, n); err != nil {
			return n, err
		}
	}
	return n, err
}
