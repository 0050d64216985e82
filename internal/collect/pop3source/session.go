package pop3source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// session is an open mailbox.
type session struct {
	client *pop3client.Client
	capa   pop3.Capabilities
	top    bool // TOP has worked

	// What was announced by Prepare and is under way.
	ahead *ahead
	// inside a message that was not read to its end.
	inside bool
}

// ahead is a batch: commands that are sent before their turn.
type ahead struct {
	op   collect.Op
	verb pop3client.Verb
	rest []collect.Remote // whose answers have not been asked for
	next func() (pop3client.Result, error, bool)
	stop func()
}

func newSession(c *pop3client.Client, capa pop3.Capabilities) *session {
	return &session{client: c, capa: capa}
}

func (s *session) Info() collect.SessionInfo {
	var info collect.SessionInfo
	info.LoginDelay, _, _ = s.capa.LoginDelay()
	if days, _, ok := s.capa.Expire(); ok && days != pop3.Never {
		info.Expires, info.ExpireDays = true, days
	}
	return info
}

func (s *session) List(ctx context.Context) ([]collect.Remote, error) {
	s.endAhead()
	var list []collect.Remote
	index := map[int]int{}
	for m, err := range s.client.List(ctx) {
		if err != nil {
			return nil, err
		}
		if _, twice := index[m.Num]; twice {
			return nil, &pop3.ProtocolError{Op: "LIST", Err: fmt.Errorf("message %d is listed twice", m.Num)}
		}
		index[m.Num] = len(list)
		list = append(list, collect.Remote{Num: m.Num, Size: m.Size})
	}
	if len(list) == 0 {
		return nil, nil
	}
	for m, err := range s.client.UIDs(ctx) {
		if err != nil {
			var refused *pop3.Error
			if errors.As(err, &refused) && !s.capa.Has(pop3.CapUIDL) && !pop3.IsTemporary(err) {
				return list, nil // it does not know UIDL
			}
			return nil, err
		}
		if i, ok := index[m.Num]; ok {
			list[i].UID = m.UID
		}
	}
	return list, nil
}

var verbs = map[collect.Op]pop3client.Verb{
	collect.OpRetrieve: pop3client.RETR, collect.OpHeader: pop3client.TOP, collect.OpDelete: pop3client.DELE,
}

func (s *session) Prepare(ctx context.Context, op collect.Op, ms []collect.Remote) {
	s.endAhead()
	a := &ahead{op: op, verb: verbs[op], rest: slices.Clone(ms)}
	ops := func(yield func(pop3client.Op) bool) {
		for _, m := range ms {
			o := pop3client.Op{Verb: a.verb, Num: m.Num}
			switch op {
			case collect.OpRetrieve:
				o.Size = max(m.Size, 0)
			case collect.OpHeader:
				o.Size = min(max(m.Size, 0), 4<<10)
			case collect.OpDelete:
			}
			if !yield(o) {
				return
			}
		}
	}
	a.next, a.stop = iter.Pull2(s.client.Batch(ctx, ops))
	s.ahead = a
}

// endAhead ends a batch under way, if there is one. What was sent is answered and skipped.
func (s *session) endAhead() {
	if s.ahead != nil {
		s.ahead.stop()
		s.ahead = nil
	}
}

// do runs a command, or takes the answer to it if it was sent ahead.
func (s *session) do(ctx context.Context, verb pop3client.Verb, m collect.Remote) (*pop3client.Message, error) {
	a := s.ahead
	if a == nil || a.verb != verb || len(a.rest) == 0 || a.rest[0] != m {
		s.endAhead()
		return s.doNow(ctx, verb, m.Num)
	}
	a.rest = a.rest[1:]
	r, err, ok := a.next()
	if !ok {
		err = pop3client.ErrClosed
	}
	return r.Message, err
}

func (s *session) doNow(ctx context.Context, verb pop3client.Verb, num int) (*pop3client.Message, error) {
	switch verb {
	case pop3client.RETR:
		return s.client.Retr(ctx, num)
	case pop3client.TOP:
		return s.client.Top(ctx, num, 0)
	default:
		return nil, s.client.Dele(ctx, num)
	}
}

// ofMessage marks a refusal as one that is about the message.
func ofMessage(m collect.Remote, err error) error {
	var refused *pop3.Error
	if errors.As(err, &refused) && !refused.Hangup {
		return &collect.MessageError{Num: m.Num, Err: err}
	}
	return err
}

func (s *session) Retrieve(ctx context.Context, m collect.Remote) (io.ReadCloser, error) {
	msg, err := s.do(ctx, pop3client.RETR, m)
	if err != nil {
		return nil, ofMessage(m, err)
	}
	return s.reading(msg), nil
}

func (s *session) Header(ctx context.Context, m collect.Remote) (io.ReadCloser, error) {
	msg, err := s.do(ctx, pop3client.TOP, m)
	if err == nil {
		s.top = true
		return s.reading(msg), nil
	}
	var refused *pop3.Error
	if errors.As(err, &refused) && !s.top && !s.capa.Has(pop3.CapTop) {
		s.endAhead()
		return nil, collect.ErrNoHeaders
	}
	return nil, ofMessage(m, err)
}

func (s *session) Delete(ctx context.Context, m collect.Remote) error {
	_, err := s.do(ctx, pop3client.DELE, m)
	return ofMessage(m, err)
}

func (s *session) Finish(ctx context.Context) error {
	s.endAhead()
	return s.client.Quit(ctx)
}

func (s *session) Close() error {
	err := s.client.Close()
	s.endAhead()
	return err
}
