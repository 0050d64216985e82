package pop3source

import (
	"context"
	"errors"
	"io"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// maxSkip is how many octets of messages that were asked for ahead KeepAlive throws away, to ask for them again.
const maxSkip = 8 << 20

// KeepAlive sends NOOP. For that, what was sent ahead is skipped and sent again when it is needed; where that would be much,
// the server is still busy with it and KeepAlive does nothing. The same goes for a message that is being read.
func (s *session) KeepAlive(ctx context.Context) error {
	a := s.ahead
	if s.inside || a != nil && (a.op == collect.OpDelete || a.octets() > maxSkip) {
		return nil
	}
	s.endAhead()
	var refused *pop3.Error
	if err := s.client.Noop(ctx); err != nil && (!errors.As(err, &refused) || refused.Hangup) {
		return err
	}
	if a != nil {
		s.Prepare(ctx, a.op, a.rest)
	}
	return nil
}

// octets returns how much can have been asked for at most and not been read.
func (a *ahead) octets() (n int64) {
	for i, m := range a.rest {
		if i >= pop3client.MaxWindow || i >= 2 && n >= pop3client.MaxAhead {
			break
		}
		if m.Size <= 0 {
			n += 64 << 10
		}
		n += max(m.Size, 0)
	}
	return n
}

// reading is a message that is being read.
type reading struct {
	message io.ReadCloser
	session *session
}

func (s *session) reading(message io.ReadCloser) io.ReadCloser {
	s.inside = true
	return reading{message, s}
}

func (r reading) Read(p []byte) (int, error) {
	n, err := r.message.Read(p)
	if err != nil {
		r.session.inside = false
	}
	return n, err
}

func (r reading) Close() error {
	r.session.inside = false
	return r.message.Close()
}
