package imapsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/imapclient"
)

const (
	// aheadMessages and aheadOctets bound what is asked for ahead, besides the message whose turn it is. What was asked for
	// in vain must be read all the same.
	aheadMessages = 100
	aheadOctets   = 512 << 10
	// headerOctets is how large a header is thought to be.
	headerOctets = 4 << 10
)

// session is an open folder.
type session struct {
	source *Source
	client *imapclient.Client
	folder imapclient.Folder
	uids   []uint32 // by message number, from 0

	op      collect.Op
	planned []collect.Remote // announced by Prepare, not asked for yet
	asked   []collect.Remote // asked for ahead, in this order
	deletes []uint32
}

func (s *session) Info() collect.SessionInfo { return collect.SessionInfo{Protocol: "IMAP"} }

func (s *session) List(ctx context.Context) ([]collect.Remote, error) {
	s.forget()
	listed, err := s.client.List(ctx, s.folder)
	if err != nil {
		return nil, err
	}
	next := s.folder.UIDNext
	list := make([]collect.Remote, len(listed))
	s.uids = make([]uint32, len(listed))
	for i, m := range listed {
		list[i] = collect.Remote{Num: i + 1, Size: m.Size, Date: m.Date, Flags: m.Flags}
		if s.folder.UIDValidity != 0 {
			list[i].UID = fmt.Sprintf("%d.%d", s.folder.UIDValidity, m.UID)
		}
		s.uids[i] = m.UID
		next = max(next, m.UID+1)
	}
	s.source.note(mark{s.folder.UIDValidity, next})
	return list, nil
}

func (s *session) uid(m collect.Remote) (uint32, error) {
	if m.Num < 1 || m.Num > len(s.uids) {
		return 0, fmt.Errorf("message %d is not in the listing", m.Num)
	}
	return s.uids[m.Num-1], nil
}

func (s *session) Prepare(_ context.Context, op collect.Op, ms []collect.Remote) {
	s.forget()
	s.op, s.planned = op, slices.Clone(ms)
}

// forget drops what was planned. What was asked for already the client throws away at the next call.
func (s *session) forget() { s.planned, s.asked = nil, nil }

// lookAhead asks for m and the messages whose turn comes after it.
func (s *session) lookAhead(ctx context.Context, op collect.Op, m collect.Remote) error {
	if s.op == op && len(s.asked) > 0 && s.asked[0] == m {
		s.asked = s.asked[1:]
		return nil
	}
	s.asked = nil
	if s.op != op || len(s.planned) == 0 || s.planned[0] != m {
		s.planned = nil
		return nil
	}
	var uids []uint32
	octets := int64(0)
	for i, next := range s.planned {
		uid, err := s.uid(next)
		if err != nil {
			return err
		}
		if i > 0 { // m itself may be of any size
			octets += sizeOf(op, next)
		}
		if i == aheadMessages || octets > aheadOctets || i > 0 && uid <= uids[i-1] {
			break
		}
		uids = append(uids, uid)
	}
	s.asked, s.planned = s.planned[1:len(uids)], s.planned[len(uids):]
	return s.client.Ahead(ctx, parts[op], uids...)
}

func sizeOf(op collect.Op, m collect.Remote) int64 {
	if op == collect.OpHeader {
		return min(max(m.Size, 0), headerOctets)
	}
	if m.Size < 0 {
		return aheadOctets // unknown
	}
	return m.Size
}

var parts = map[collect.Op]imapclient.Part{collect.OpRetrieve: imapclient.Whole, collect.OpHeader: imapclient.Header}

func (s *session) Retrieve(ctx context.Context, m collect.Remote) (io.ReadCloser, error) {
	return s.fetch(ctx, collect.OpRetrieve, m)
}

func (s *session) Header(ctx context.Context, m collect.Remote) (io.ReadCloser, error) {
	return s.fetch(ctx, collect.OpHeader, m)
}

func (s *session) fetch(ctx context.Context, op collect.Op, m collect.Remote) (io.ReadCloser, error) {
	uid, err := s.uid(m)
	if err != nil {
		return nil, err
	}
	if limit := s.source.opt.Client.MaxMessage; op == collect.OpRetrieve && limit > 0 && m.Size > limit {
		return nil, &collect.MessageError{Num: m.Num, Err: fmt.Errorf("%w: it has %d octets, the bound is %d", imapclient.ErrTooLarge, m.Size, limit)}
	}
	if err := s.lookAhead(ctx, op, m); err != nil {
		return nil, err
	}
	body, err := s.client.Fetch(ctx, uid, parts[op])
	var refused *imapclient.Error
	if errors.As(err, &refused) || errors.Is(err, imapclient.ErrGone) {
		return nil, &collect.MessageError{Num: m.Num, Err: err}
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Delete notes a message. Nothing is said to the server before Finish, so that a session that is cut off marks nothing.
func (s *session) Delete(_ context.Context, m collect.Remote) error {
	uid, err := s.uid(m)
	if err == nil {
		s.deletes = append(s.deletes, uid)
	}
	return err
}

func (s *session) Finish(ctx context.Context) error {
	s.forget()
	if len(s.deletes) == 0 {
		_ = s.client.Logout(ctx) // nothing depends on the answer
		return nil
	}
	folder, err := s.client.Select(ctx, s.source.at.Folder)
	if err != nil {
		return err
	}
	if folder.UIDValidity == 0 {
		return &collect.PermanentError{Err: fmt.Errorf("the server does not say how long the numbers in the folder %q hold (UIDVALIDITY), so nothing was deleted, as it might be other mail: keep = true leaves the mail there", s.source.at.Folder)}
	}
	if folder.UIDValidity != s.folder.UIDValidity {
		return &collect.TemporaryError{Err: errors.New("the folder was made anew in the meantime, nothing was deleted in it")}
	}
	if !folder.Deletes {
		return &collect.PermanentError{Err: fmt.Errorf("nothing can be deleted in the folder %q, the server says: keep = true leaves the mail there", s.source.at.Folder)}
	}
	slices.Sort(s.deletes)
	if err := s.client.Delete(ctx, s.deletes); err != nil {
		return classifyDelete(err)
	}
	_ = s.client.Logout(ctx) // they are removed, whatever it says
	return nil
}

func (s *session) Close() error { return s.client.Close() }
