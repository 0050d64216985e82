package sqlstore

import (
	"container/list"
	"sync"
)

// A listingCache keeps the listings of maildrops that were used last, at most one each, within a bound of memory. A
// listing that is older than its maildrop is still good: most of it is taken over into the next.
type listingCache struct {
	limit int64

	mu     sync.Mutex
	size   int64
	recent list.List // of *listing, most recently used first
	byDrop map[int64]*list.Element
}

// entryCost is what the cache itself takes for a listing, roughly.
const entryCost = 256

func newListingCache(limit int64) *listingCache {
	return &listingCache{limit: limit, byDrop: make(map[int64]*list.Element)}
}

// get returns the newest listing the cache has of a maildrop, or nil.
func (c *listingCache) get(drop int64) *listing {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byDrop[drop]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*listing)
}

// put keeps l unless there is a newer one. Empty listings are not kept: reading the maildrop's row says it all.
func (c *listingCache) put(l *listing) {
	cost := l.size() + entryCost
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byDrop[l.drop]; e != nil {
		if e.Value.(*listing).revision >= l.revision {
			return
		}
		c.evict(e)
	}
	if cost > c.limit || len(l.segments) == 0 {
		return
	}
	c.size += cost
	c.byDrop[l.drop] = c.recent.PushFront(l)
	for c.size > c.limit {
		c.evict(c.recent.Back())
	}
}

func (c *listingCache) drop(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byDrop[id]; e != nil {
		c.evict(e)
	}
}

func (c *listingCache) evict(e *list.Element) {
	l := c.recent.Remove(e).(*listing)
	delete(c.byDrop, l.drop)
	c.size -= l.size() + entryCost
}

func (c *listingCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent.Init()
	clear(c.byDrop)
	c.size = 0
}
