package oauthtest

import (
	"crypto/rand"
	"net/http"
	"time"
)

// A device waits until somebody types in its code elsewhere (RFC 8628).
type device struct {
	user     string
	scope    string
	interval time.Duration
	asked    time.Time
	ends     time.Time
	said     string // "yes" or "no"
}

// deviceLife is how long a code can be typed in.
const deviceLife = 10 * time.Minute

func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) {
	if s.fault(w, r, false) || !s.client(w, r) {
		return
	}
	d := &device{
		user: rand.Text()[:8], scope: r.PostFormValue("scope"), interval: s.opt.Interval,
		asked: s.opt.Now(), ends: s.opt.Now().Add(deviceLife),
	}
	secret := rand.Text()
	s.mu.Lock()
	s.devices[secret] = d
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{
		"device_code": secret, "user_code": d.user, "verification_uri": s.URL + "/activate",
		"verification_uri_complete": s.URL + "/activate?code=" + d.user,
		"expires_in":                int(deviceLife.Seconds()), "interval": int(s.opt.Interval.Seconds()),
	})
}

// Type types in a code, as a person does, who then says yes or no. It reports whether there is such a code.
func (s *Server) Type(code string, yes bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.user == code {
			d.said = "no"
			if yes {
				d.said = "yes"
			}
			return true
		}
	}
	return false
}

func (s *Server) byDevice(w http.ResponseWriter, r *http.Request) {
	now := s.opt.Now()
	s.mu.Lock()
	secret := r.PostFormValue("device_code")
	d := s.devices[secret]
	code := ""
	switch {
	case d == nil:
		code = "invalid_grant"
	case now.After(d.ends):
		code = "expired_token"
	case now.Sub(d.asked) < d.interval:
		code = "slow_down"
		d.interval += 5 * time.Second // §3.5
	case d.said == "":
		code = "authorization_pending"
	case d.said == "no":
		code = "access_denied"
	default:
		delete(s.devices, secret)
	}
	if d != nil {
		d.asked = now
	}
	s.mu.Unlock()
	if code != "" {
		s.asks(code)
		answer(w, http.StatusBadRequest, map[string]string{"error": code})
		return
	}
	s.give(w, r, s.newGrant(d.scope), true)
}

func (s *Server) asks(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[what]++
}
