package account

// An lru is a map that holds at most limit entries: a new one beyond that takes the place of the one not used for
// longest. It is the bound of everything in this package that strangers can fill. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit int
	index map[K]int32
	slots []lruSlot[K, V] // slots[0] is the ring's anchor: its next is the newest, its prev the oldest
}

type lruSlot[K comparable, V any] struct {
	prev, next int32
	key        K
	value      V
}

// newLRU returns an lru of at most limit entries. Memory is taken as entries come.
func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: max(limit, 1), index: make(map[K]int32), slots: make([]lruSlot[K, V], 1)}
}

func (l *lru[K, V]) len() int { return len(l.index) }

// get returns the value of key, nil if there is none. It stays valid until the next put or remove.
func (l *lru[K, V]) get(key K) *V {
	i, ok := l.index[key]
	if !ok {
		return nil
	}
	l.unlink(i)
	l.pushFront(i)
	return &l.slots[i].value
}

// put returns the value of key, a zero one if it is new.
func (l *lru[K, V]) put(key K) *V {
	if v := l.get(key); v != nil {
		return v
	}
	var i int32
	if len(l.slots) <= l.limit {
		i = int32(len(l.slots))
		l.slots = append(l.slots, lruSlot[K, V]{})
	} else {
		i = l.slots[0].prev
		l.unlink(i)
		delete(l.index, l.slots[i].key)
	}
	var zero V
	l.slots[i].key, l.slots[i].value = key, zero
	l.index[key] = i
	l.pushFront(i)
	return &l.slots[i].value
}

func (l *lru[K, V]) unlink(i int32) {
	s := &l.slots[i]
	l.slots[s.prev].next = s.next
	l.slots[s.next].prev = s.prev
}

func (l *lru[K, V]) pushFront(i int32) {
	s, anchor := &l.slots[i], &l.slots[0]
	s.prev, s.next = 0, anchor.next
	l.slots[anchor.next].prev = i
	anchor.next = i
}
