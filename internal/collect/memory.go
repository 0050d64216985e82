package collect

// A memory is what the journal knows of one account, while a run or a plan looks at it.
type memory struct {
	account  string
	entries  []*entry
	byUID    map[string][]*entry
	byDigest map[string][]*entry
	byMsgid  map[string][]*entry
	byKey    map[string]*entry
	bySize   map[int64][]*entry
	taken    map[*entry]bool // entries of messages that are in the listing
	changed  []*entry        // to be saved
	dirty    map[*entry]bool // those in changed
}

func newMemory(account string, entries []*entry) *memory {
	m := &memory{
		account: account, entries: entries,
		byUID: map[string][]*entry{}, byDigest: map[string][]*entry{}, byMsgid: map[string][]*entry{},
		byKey: make(map[string]*entry, len(entries)), bySize: map[int64][]*entry{},
		taken: map[*entry]bool{}, dirty: map[*entry]bool{},
	}
	for _, e := range entries {
		m.index(e)
	}
	return m
}

func (m *memory) index(e *entry) {
	m.byKey[e.key] = e
	m.byUID[e.uid] = append(m.byUID[e.uid], e)
	m.bySize[e.size] = append(m.bySize[e.size], e)
	if e.digest != "" {
		m.byDigest[e.digest] = append(m.byDigest[e.digest], e)
	}
	if e.msgid != "" {
		m.byMsgid[e.msgid] = append(m.byMsgid[e.msgid], e)
	}
}

// touch notes that e is to be saved.
func (m *memory) touch(e *entry) {
	if !m.dirty[e] {
		m.dirty[e] = true
		m.changed = append(m.changed, e)
	}
}

// takeChanged returns what is to be saved.
func (m *memory) takeChanged() []*entry {
	changed := m.changed
	m.changed = nil
	clear(m.dirty)
	return changed
}

// take says that e is the message in the listing.
func (m *memory) take(e *entry, r Remote) {
	m.taken[e] = true
	if e.missing != 0 || e.uid != r.UID || e.size != r.Size {
		e.missing, e.uid, e.size = 0, r.UID, r.Size
		m.touch(e)
	}
	if e.phase == phaseConfirmed {
		// It is back, or was never removed: to be removed again.
		e.phase = phaseSettled
		m.touch(e)
	}
}

// find looks for the entry of a message by its identity: first among those with its UID, then anywhere.
func (m *memory) find(id identity, r Remote) *entry {
	pools := [][]*entry{m.byUID[r.UID]}
	if id.strong() {
		pools = append(pools, m.byDigest[id.digest])
		if id.msgid != "" {
			pools = append(pools, m.byMsgid[id.msgid])
		}
	}
	for _, pool := range pools {
		for _, e := range pool {
			if !m.taken[e] && e.is(id, r.UID, r.Size) {
				return e
			}
		}
	}
	return nil
}

// findLeft looks among what was left at the start, and not looked at, for a message of this size and an older date.
func (m *memory) findLeft(id identity, r Remote, begun int64) *entry {
	if id.date.IsZero() || id.date.Unix() >= begun {
		return nil
	}
	for _, e := range m.bySize[r.Size] {
		if !m.taken[e] && e.digest == "" && e.outcome == outcomeLeft {
			return e
		}
	}
	return nil
}

// takeNameless looks for the entry of a message that failed before anything but its size was known. It only serves to count
// attempts: who the message is, its header tells when it comes.
func (m *memory) takeNameless(r Remote) *entry {
	for _, e := range m.byUID[r.UID] {
		if !m.taken[e] && !e.isSettled() && e.digest == "" && e.attempts > 0 && e.size == r.Size {
			m.take(e, r)
			return e
		}
	}
	return nil
}

// add makes an entry for a message that is new.
func (m *memory) add(r Remote, unique bool, id *identity, now int64) *entry {
	e := &entry{uid: r.UID, size: r.Size, seen: now, fresh: true}
	e.key = newKey(m.account, r.UID, unique, id, r.Size, func(key string) bool { return m.byKey[key] != nil })
	if id != nil {
		e.digest, e.msgid = id.digest, id.msgid
	}
	m.index(e)
	m.taken[e] = true
	m.touch(e)
	return e
}

// age notes what the listing lacks, and returns the keys of what has been missing for too long.
func (m *memory) age(now, forget int64) (forgotten []string) {
	for _, e := range m.entries {
		switch {
		case m.taken[e]:
		case e.missing == 0:
			e.missing = now
			m.touch(e)
		case now-e.missing >= forget:
			forgotten = append(forgotten, e.key)
		}
	}
	return forgotten
}
