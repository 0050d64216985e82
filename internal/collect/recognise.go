package collect

import (
	"context"
	"errors"
	"io"
)

// recognise compares the listing with the memory by UID.
func (p *planner) recognise(list []Remote) {
	count := make(map[string]int, len(list))
	for _, r := range list {
		count[r.UID]++
	}
	p.items = make([]*item, len(list))
	for i, r := range list {
		it := &item{Remote: r, pos: i, unique: r.UID != "" && count[r.UID] == 1}
		p.items[i] = it
		same := p.memory.byUID[r.UID]
		switch e := soleMatch(same, r); {
		case it.unique && len(same) == 0: // new
		case it.unique && e != nil:
			it.entry = e
			p.memory.take(e, r)
			p.known++
		default:
			it.unsure = true
		}
	}
	p.suspect()
	// Before a message is deleted that was not fetched in this session, its header is compared, so that a server that
	// gives a UID to another message does not make us delete what we do not have.
	for _, it := range p.items {
		if it.entry != nil && it.entry.isSettled() && it.entry.digest != "" && p.wantsDelete(it) {
			delete(p.memory.taken, it.entry)
			it.unsure, it.byUID, it.entry = true, it.entry, nil
		}
	}
}

// soleMatch returns the one entry that a message with this UID can only be, or nil.
func soleMatch(same []*entry, r Remote) *entry {
	var found *entry
	for _, e := range same {
		if e.phase == phaseConfirmed || e.phase == phaseDeleting && e.missing != 0 {
			// It was, or seemed, removed: this may be another message.
			if e.digest == "" {
				continue
			}
			return nil
		}
		if found != nil {
			return nil
		}
		found = e
	}
	if found != nil && found.size != r.Size && (found.digest != "" || found.outcome == outcomeDiscarded) {
		return nil
	}
	return found
}

// suspect finds messages with new UIDs that may be known under others: the server may have renumbered its mailbox.
func (p *planner) suspect() {
	sizes, lost := map[int64]bool{}, 0
	for _, e := range p.memory.entries {
		if e.phase != phaseConfirmed && !p.memory.taken[e] {
			sizes[e.size] = true
			lost++
		}
	}
	all := lost > 0 && p.known <= lost
	for _, it := range p.items {
		if it.entry == nil && (all || sizes[it.Size]) {
			it.unsure = true
		}
	}
}

// resolve says which entry a message is whose header was read, if any.
func (p *planner) resolve(it *item, id identity) {
	it.id = &id
	e := p.memory.find(id, it.Remote)
	if e == nil && p.begun != 0 {
		e = p.memory.findLeft(id, it.Remote, p.begun)
	}
	if e == nil {
		return
	}
	if e.uid != it.UID {
		p.renumbered++
	}
	it.entry = e
	p.memory.take(e, it.Remote)
}

// readHeaders calls fn with the header of each item, as far as the source can give it.
func (p *planner) readHeaders(ctx context.Context, items []*item, fn func(*item, []byte) error) error {
	if len(items) == 0 || !p.headers {
		return nil
	}
	remotes := make([]Remote, len(items))
	for i, it := range items {
		remotes[i] = it.Remote
	}
	p.session.Prepare(ctx, OpHeader, remotes)
	for _, it := range items {
		header, err := p.header(ctx, it.Remote)
		var refused *MessageError
		switch {
		case errors.Is(err, ErrNoHeaders):
			p.headers = false
			return nil
		case errors.As(err, &refused):
			continue
		case err != nil:
			return err
		}
		id := identify(header)
		it.id = &id
		if err := fn(it, header); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) header(ctx context.Context, r Remote) ([]byte, error) {
	body, err := p.session.Header(ctx, r)
	if err != nil {
		return nil, err
	}
	start, n, err := readHeader(body)
	if err == nil {
		_, err = io.Copy(io.Discard, body) // some servers send the whole message
	}
	return start[:n], errors.Join(err, body.Close())
}
