package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const (
	// copyBuffer is how much of a message is in memory at a time.
	copyBuffer = 32 << 10
	// tellEvery is how many octets lie between two EventProgress.
	tellEvery = 64 << 10
	// maxWaste is how much of a message is read and thrown away to go on with the session, when it cannot be delivered.
	maxWaste = 8 << 20
	// maxTogether and maxTogetherOctets bound the messages that share a commit of the journal, and so what is fetched again
	// after a crash.
	maxTogether       = 16
	maxTogetherOctets = 1 << 20
)

// errEmpty: the server sent nothing for a message that has octets.
var errEmpty = errors.New("the server sent an empty message")

// fetchAll fetches what the plan says, one after the other. lost says that the session is over.
func (r *run) fetchAll(ctx context.Context) (failure error, lost bool) { // the second result says more about the first
	items := r.p.inOrder()
	if len(items) == 0 {
		return nil, false
	}
	remotes := make([]Remote, len(items))
	for i, it := range items {
		remotes[i] = it.Remote
	}
	r.p.session.Prepare(ctx, OpRetrieve, remotes)
	buf := make([]byte, copyBuffer)
	tried, begun := 0, 0 // of items
	defer func() {
		for _, it := range items[tried:max(tried, begun)] {
			if r.unbegin(it); it.entry != nil {
				it.entry.tried = it.tried // it has not had its turn
			}
		}
	}()
	for _, it := range items {
		if ctx.Err() != nil {
			return context.Cause(ctx), true
		}
		if r.p.endsSession(it) && r.deletes() {
			return &TemporaryError{fmt.Errorf("message %s waits for the next run, so that others are deleted at the source in this one: %s", it.UID, it.entry.failure)}, false
		}
		if err := r.ready(ctx); err != nil {
			return err, ctx.Err() != nil
		}
		if tried == begun {
			begun += r.beginTogether(items[tried:])
			// One commit for two things: the messages before are settled, these are being tried.
			if err := r.save(ctx, change{}); err != nil {
				return err, true
			}
		}
		tried++
		err := r.fetch(ctx, it, buf)
		r.tellRest()
		var of *MessageError
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			r.unbegin(it)
			return errors.Join(context.Cause(ctx), err), true
		case !errors.As(err, &of):
			r.fail(it, err)
			if r.closed != nil {
				err = r.closed // it asks for more
			}
			return err, true
		}
		r.fail(it, of.Err)
		if r.closed != nil {
			return r.closed, false
		}
		if r.failing >= maxFailing {
			for _, it := range r.stalled {
				r.unbegin(it) // several in a row are the scanner's fault
			}
			return &TemporaryError{fmt.Errorf("gave up after %d messages in a row: %w", r.failing, of.Err)}, false
		}
	}
	return nil, false
}

// deletes reports whether something is to be deleted at the source now, which takes a session that comes to its end.
func (r *run) deletes() bool {
	return slices.ContainsFunc(r.p.items, func(it *item) bool { return it.entry != nil && it.entry.isSettled() && r.p.wantsDelete(it) })
}

// beginTogether begins the first of items, and returns how many. They are more than one only if all sinks know what they
// have, so that what a crash leaves unsettled is not there twice, and if none was tried before: one that kills the process
// is alone the next time, and the others are not counted again.
func (r *run) beginTogether(items []*item) (n int) {
	together := maxTogether
	for _, s := range slices.Concat(r.account.Sinks, r.rules.Quarantine) {
		if !s.Safe() {
			together = 1
		}
	}
	octets := int64(0)
	for _, it := range items[:min(together, len(items))] {
		fresh := it.entry != nil && it.lastFailed() == 0
		if octets += it.Size; n > 0 && (!fresh || octets > maxTogetherOctets) {
			break
		}
		r.begin(it)
		n++
		if !fresh {
			break
		}
	}
	return n
}

// begin notes the attempt ahead, so that a message that kills the whole process is counted, too.
func (r *run) begin(it *item) {
	if e := it.entry; e != nil {
		it.begun, it.again, it.tried = e, e.phase == phaseDelivering, e.tried
		e.phase, e.tried = phaseDelivering, r.p.now.Unix()
		e.attempts++
		r.p.memory.touch(e)
	}
}

// beginLate begins a message that could only be known by its header.
func (r *run) beginLate(it *item) {
	r.begin(it)
	it.late = !it.again
}

// unbegin takes the attempt back: that it failed is our own doing, or the sink's. What was set aside is tried at the next
// run, too, then, and not in a day.
func (r *run) unbegin(it *item) {
	if e := it.begun; e != nil && !e.isSettled() && e.attempts > 0 {
		e.attempts = min(e.attempts, r.rules.MaxAttempts) - 1
		r.p.memory.touch(e)
	}
	it.begun = nil
}

func (r *run) fail(it *item, err error) {
	r.report.Failed++
	r.exposed = true
	if it.entry == nil && !it.unique {
		// Nothing tells who it is but its size, which is enough to count the attempts.
		it.entry = r.p.memory.add(it.Remote, false, nil, r.p.now.Unix())
		r.begin(it)
	}
	e := Event{Kind: EventFailed, UID: it.UID, Size: it.Size, Err: err}
	if it.entry != nil && !it.entry.isSettled() {
		it.entry.failure = shorten(err.Error())
		r.p.memory.touch(it.entry)
		e.Key = it.entry.key
		r.failed = append(r.failed, it)
	}
	r.tell(e)
}

// countSetAside reports what has failed for the last time for now.
func (r *run) countSetAside() {
	for _, it := range r.failed {
		if e := it.entry; !e.isSettled() && e.attempts == r.rules.MaxAttempts {
			r.report.SetAside = append(r.report.SetAside, Poison{UID: it.UID, Size: it.Size, Attempts: e.attempts, Error: e.failure, Next: r.p.nextTry(e)})
		}
	}
}

// fetch fetches one message. A *MessageError is about the message alone; any other error ends the session.
func (r *run) fetch(ctx context.Context, it *item, buf []byte) (err error) {
	r.step("retrieve")
	letter := Letter{Account: r.account.Name, UID: it.UID, Date: it.Date, Flags: it.Flags}
	if s, ok := r.p.session.(Enveloper); ok {
		if letter.Sender, letter.Recipients, err = s.Envelope(ctx, it.Remote); err != nil {
			return err
		}
	}
	body, err := r.p.session.Retrieve(ctx, it.Remote)
	if err != nil {
		return err
	}
	defer func() { err = lost(err, body.Close()) }()
	m := &meter{Reader: body, pace: r.pace, ctx: ctx, told: r.arrived}
	start, n, err := readHeader(m)
	if err != nil {
		return err
	}
	if len(start) == 0 && it.Size > 0 {
		return &MessageError{it.Num, errEmpty}
	}
	id := identify(start[:n])
	if r.knows(it, id) {
		r.exposed = r.exposed || it.entry.outcome == outcomeLeft
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, m, buf)
		return err
	}
	if done, err := r.settleUnfetched(ctx, it, id, start[:n]); err != nil || done {
		return lost(err, r.skipRest(m, it, buf))
	}
	letter.Header = start[:n]
	if letter.Date.IsZero() {
		letter.Date = id.date
	}
	if letter.Sender == "" {
		letter.Sender = id.sender
	}
	switch f := it.entry.found; {
	case f != nil && (f.Verdict != Quarantine || len(r.rules.Quarantine) > 0 || r.rules.Scan == nil):
		// Some sink may have it because of that: it holds, whether there still is a scanner or not.
		return r.deliverFound(ctx, it, f, letter, slices.Concat([]byte(f.Fields), start), m, buf)
	case r.rules.Scan != nil && (f != nil || len(it.entry.sinks) == 0):
		return r.scan(ctx, it, letter, start, m, buf)
	}
	// Nobody scans, or nobody did when the first sinks got it: the others get the same.
	return r.deliver(ctx, it, r.account.Sinks, letter, start, m, buf)
}

// lost returns what went wrong with a message, or, if the session ended on it, an error that is about the session.
func lost(err, session error) error {
	switch {
	case session == nil:
		return err
	case err == nil:
		return session
	}
	return fmt.Errorf("%v; the session ended with it: %w", err, session) // a *MessageError would have it go on
}

// knows reports whether the message turned out to be one that is settled. Else it has an entry afterwards.
func (r *run) knows(it *item, id identity) bool {
	m := r.p.memory
	e := it.entry
	if e != nil && e.digest != "" && e.digest != id.digest && !e.is(id, it.UID, it.Size) && (len(e.sinks) > 0 || e.found != nil) {
		// The UID was given to another message before all sinks had the first one, or while what was found in it held.
		e = nil
	}
	if it.unsure || e == nil {
		before := it.entry
		if it.entry = m.find(id, it.Remote); it.entry != nil {
			if it.entry.uid != it.UID {
				r.p.renumbered++
			}
			if it.counted {
				it.counted = false
				r.report.New--
			}
			m.take(it.entry, it.Remote)
			if before != nil && before != it.entry { // it was taken for new because TOP and RETR give different headers
				r.forget = append(r.forget, before.key)
				delete(m.byKey, before.key)
			}
			if it.entry.isSettled() {
				return true
			}
			if before != it.entry {
				r.beginLate(it)
			}
		} else {
			it.entry = e
		}
	}
	if it.entry == nil {
		it.entry = m.add(it.Remote, it.unique, &id, r.p.now.Unix())
		r.beginLate(it)
	}
	if it.entry.digest != id.digest {
		it.entry.digest, it.entry.msgid = id.digest, id.msgid
		m.touch(it.entry)
	}
	return false
}

// settleUnfetched asks the rules that could not be asked before the header was there. done: the message is not fetched.
func (r *run) settleUnfetched(ctx context.Context, it *item, id identity, header []byte) (done bool, err error) {
	if !it.judged {
		it.id = &id
		if err := r.p.judge(ctx, it, header); err != nil {
			return false, err
		}
		switch {
		case it.failed:
			r.unbegin(it)
			r.failing++
			return true, &MessageError{it.Num, &TemporaryError{errors.New(it.why)}}
		case it.verdict == Leave:
			r.leave(it)
			return true, nil
		case it.verdict == Discard:
			r.p.settle(it.entry, outcomeDiscarded)
			return true, nil
		}
	}
	if !r.rules.Dedupe || id.msgid == "" {
		return false, nil
	}
	have, err := r.opt.Journal.elsewhere(ctx, r.account.Name, id.msgid)
	if err != nil || !haveAll(r.account.Sinks, have) {
		return false, err
	}
	r.p.settle(it.entry, outcomeDuplicate)
	r.report.Duplicates++
	return true, nil
}

// leave leaves at the source, for good, a message that was retrieved.
func (r *run) leave(it *item) {
	r.p.settle(it.entry, outcomeLeft)
	r.report.Skipped++
	r.exposed = true
}

func haveAll(sinks []Sink, names []string) bool {
	have := make(map[string]bool, len(names))
	for _, n := range names {
		have[n] = true
	}
	for _, s := range sinks {
		if !have[s.Name()] {
			return false
		}
	}
	return true
}

// skipRest reads on to where the next message begins, unless that is far: then the session ends with the message.
func (r *run) skipRest(rest io.Reader, it *item, buf []byte) error {
	if it.Size > maxWaste {
		return nil // Close decides
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, rest, buf)
	return err
}

// deliver gives the message to sinks: start, then rest.
func (r *run) deliver(ctx context.Context, it *item, sinks []Sink, letter Letter, start []byte, rest io.Reader, buf []byte) error {
	e := it.entry
	r.step("begin")
	now := r.opt.now()
	letter.Key, letter.Received, letter.Again = e.key, now, it.again
	f := beginAll(ctx, sinks, e.sinks, letter)
	defer f.abort()
	if r.rules.Trace {
		_, _ = f.Write([]byte(r.traceLine(e.key, now)))
	}
	_, err := f.Write(start)
	if err == nil {
		_, err = io.CopyBuffer(f, rest, buf)
	}
	if err != nil && !errors.Is(err, errNoSink) {
		return err // the message was cut off: nothing is delivered
	}
	if err != nil {
		if err := r.skipRest(rest, it, buf); err != nil {
			return err
		}
	} else {
		if err := r.note(ctx, it, sinks); err != nil {
			return err
		}
		stop := keepAlive(ctx, r.p.session)
		f.commit(ctx, r.step)
		stop()
	}
	done, refusal := f.result()
	e.sinks = append(e.sinks, done...)
	if refusal != nil {
		r.p.memory.touch(e)
		if !f.lasting() {
			r.unbegin(it) // a sink that is down says nothing about the message
			r.failing++
		}
		r.closed = f.closed()
		return &MessageError{it.Num, refusal}
	}
	r.failing, r.stalled = 0, nil
	r.p.settle(e, outcomeDelivered)
	r.report.Fetched++
	r.report.Octets += f.octets
	r.tell(Event{Kind: EventFetched, UID: it.UID, Key: e.key, Size: f.octets})
	return nil
}

// note makes durable, before a sink can have the message, what the next run could not find out: where a scanner wants it
// to go, and, for sinks that do not know letters again, that it was tried.
func (r *run) note(ctx context.Context, it *item, sinks []Sink) error {
	e := it.entry
	if it.found != nil {
		e.found = it.found
		r.p.memory.touch(e)
	} else if !it.late || !slices.ContainsFunc(sinks, func(s Sink) bool { return !s.Safe() }) {
		return nil
	}
	it.late = false
	return r.save(ctx, change{})
}

// traceLine is a Received field (RFC 5321 §4.4) for a message that was picked up.
func (r *run) traceLine(key string, now time.Time) string {
	host := r.opt.Hostname
	if host == "" {
		host = "localhost"
	}
	clean := strings.NewReplacer("\r", "", "\n", "", "(", "", ")", "", ";", "")
	return fmt.Sprintf("Received: from %s by %s with %s id %s\r\n\t(account %s); %s\r\n",
		clean.Replace(r.fromHost()), clean.Replace(host), cmp.Or(r.p.session.Info().Protocol, "POP3"), key, clean.Replace(r.account.Name), now.Format(time.RFC1123Z))
}

func (r *run) fromHost() string {
	if r.account.Host == "" {
		return "unknown"
	}
	return r.account.Host
}

// arrived counts octets of messages.
func (r *run) arrived(n int) {
	r.report.BytesFromSource += int64(n)
	r.untold += int64(n)
	if r.untold >= tellEvery {
		r.tellRest()
	}
}

func (r *run) tellRest() {
	if r.untold > 0 {
		r.untold = 0
		r.tell(Event{Kind: EventProgress})
	}
}
