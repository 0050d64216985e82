package oauthtest

import (
	"net/http"
)

// A Fault is what goes wrong with one request for tokens.
type Fault struct {
	// Status and Code make an error answer, Code in JSON. Without a Code there is a page of HTML.
	Status int
	Code   string
	// Body, if set, is the answer, as JSON it says.
	Body string
	// Hang gives no answer, until the client goes.
	Hang bool
	// After lets the request be done first: only its answer is lost.
	After bool
	// Redirect sends the client elsewhere.
	Redirect string
}

// Fail makes the next requests for tokens go wrong, one after the other.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// fault answers with the next fault, if it is of that kind.
func (s *Server) fault(w http.ResponseWriter, r *http.Request, after bool) bool {
	s.mu.Lock()
	if len(s.faults) == 0 || s.faults[0].After != after {
		s.mu.Unlock()
		return false
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	s.mu.Unlock()
	switch {
	case f.Hang:
		<-r.Context().Done()
	case f.Redirect != "":
		http.Redirect(w, r, f.Redirect, http.StatusTemporaryRedirect)
	case f.Body != "":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(f.Body))
	case f.Code != "":
		answer(w, f.Status, map[string]string{"error": f.Code, "error_description": "so it was ordered; token " + r.PostFormValue("refresh_token")})
	default:
		http.Error(w, "<h1>something is wrong</h1>", f.Status)
	}
	return true
}
