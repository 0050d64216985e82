package pop3server

import "time"

// SleepSoon makes sessions sleep as soon as they wait. The channel tells when one does. It is called before the first one.
func (s *Server) SleepSoon() <-chan struct{} {
	asleep := make(chan struct{}, 16)
	s.nap, s.sleeps = time.Microsecond, func() { asleep <- struct{}{} }
	return asleep
}

// ShortIdle sets an IdleTimeout that no Options allow.
func (s *Server) ShortIdle(d time.Duration) { s.opt.IdleTimeout = d }
