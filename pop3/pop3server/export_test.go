package pop3server

import "time"

// SleepAfter sets how long sessions wait before they sleep. The channel tells when one does. It is called before the first one.
func (s *Server) SleepAfter(nap time.Duration) <-chan struct{} {
	asleep := make(chan struct{}, 16)
	s.nap, s.sleeps = nap, func() { asleep <- struct{}{} }
	return asleep
}

// ShortIdle sets an IdleTimeout that no Options allow.
func (s *Server) ShortIdle(d time.Duration) { s.opt.IdleTimeout = d }
