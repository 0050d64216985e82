package body

import "sync"

// A syncer makes folders durable. Calls for one folder that come while it is being synced share the next sync.
type syncer struct {
	fs FS

	mu      *sync.Mutex
	running map[string]*syncing
	waiting map[string]*syncing
	// known are folders whose own entries in their parents are durable. It is emptied when it grows: knowing less costs
	// a sync, no more.
	known map[string]bool
}

// maxKnown bounds syncer.known. A store works in one or two folders at a time.
const maxKnown = 256

// A syncing is one sync of a folder that several callers may wait for.
type syncing struct {
	done chan struct{}
	err  error
}

func newSyncer(fsys FS) syncer {
	return syncer{
		fs: fsys, mu: new(sync.Mutex), known: make(map[string]bool),
		running: make(map[string]*syncing), waiting: make(map[string]*syncing),
	}
}

// sync makes the entries of a body folder durable, and the folder itself.
func (s *syncer) sync(folder string) error {
	if err := s.share(folder); err != nil {
		return err
	}
	// Whoever made the folders may have been killed before syncing their parents, so this asks what this process did,
	// not whether the folders are there.
	outer := folder[:outerDigits]
	if err := s.settle(folder, outer); err != nil {
		return err
	}
	return s.settle(outer, ".")
}

// settle makes the entry of name in parent durable, once.
func (s *syncer) settle(name, parent string) error {
	s.mu.Lock()
	known := s.known[name]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.share(parent); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[name] = true
	return nil
}

// forget is called when a folder was made or removed.
func (s *syncer) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
}

// share syncs one folder, together with the other callers who wait for the same.
func (s *syncer) share(folder string) error {
	s.mu.Lock()
	if w := s.waiting[folder]; w != nil {
		s.mu.Unlock()
		<-w.done
		return w.err
	}
	mine := &syncing{done: make(chan struct{})}
	if r := s.running[folder]; r != nil {
		// It may have begun before our entry was made, so it does not count for us.
		s.waiting[folder] = mine
		s.mu.Unlock()
		<-r.done
		s.mu.Lock()
		delete(s.waiting, folder)
	}
	s.running[folder] = mine
	s.mu.Unlock()

	mine.err = errEnded
	defer func() {
		s.mu.Lock()
		if s.running[folder] == mine {
			delete(s.running, folder)
		}
		s.mu.Unlock()
		close(mine.done)
	}()
	mine.err = s.fs.SyncDir(folder)
	return mine.err
}
