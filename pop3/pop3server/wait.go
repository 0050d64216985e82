package pop3server

import "context"

// Wait returns nil when all sessions have ended, or ctx's error when it ends first. It stops nothing: end Serve by closing
// its listener, so that no more connections come, and let another Server take their place. Shutdown, which ends sessions,
// can be called meanwhile.
func (s *Server) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends with the sessions
		s.sessions.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
