package sasl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A BearerServer is the server's end of OAUTHBEARER or XOAUTH2.
type BearerServer struct {
	mech  string
	check func(Bearer) (user string, err error)
	user  string
	claim string
	step  bearerStep
	err   error // why the token was refused
}

type bearerStep int

const (
	bearerStart bearerStep = iota
	bearerMessage
	bearerRefused
	bearerOver
)

// NewOAuthBearerServer returns the server's end of OAUTHBEARER (RFC 7628). check gets what the client sent, the user
// prepared (see Prepare), and returns the user that the token is for, who may differ from the one that the client named
// only if check has seen to that. It must refuse a host or port that is not its own (RFC 7628 §3.1).
//
// An error that is a *TokenError, or another one that wraps ErrCredentials, is told to the client as the mechanism says;
// what a TokenError has in it goes over the wire. Any other error ends the exchange at once.
func NewOAuthBearerServer(check func(Bearer) (user string, err error)) *BearerServer {
	return &BearerServer{mech: OAuthBearer, check: check}
}

// NewXOAuth2Server returns the server's end of XOAUTH2, which differs in its form only. The user is never empty.
func NewXOAuth2Server(check func(Bearer) (user string, err error)) *BearerServer {
	return &BearerServer{mech: XOAuth2, check: check}
}

// Names returns what the client said it is; when Next has returned done, user is the one that the token is for. authz is
// the user that the client named, if that is another one.
func (s *BearerServer) Names() (authz, user string) {
	if s.user == "" || s.user == s.claim {
		return "", s.claim
	}
	return s.claim, s.user
}

// Next takes the message, and after a refused token the client's answer to the error.
func (s *BearerServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch s.step {
	case bearerStart:
		if response == nil {
			s.step = bearerMessage
			return []byte{}, false, nil
		}
		fallthrough
	case bearerMessage:
		s.step = bearerOver
		return s.message(response)
	case bearerRefused:
		s.step = bearerOver
		return nil, false, s.err // whatever the client says to it
	}
	return nil, false, malformed(s.mech + ": message after the end")
}

func (s *BearerServer) message(response []byte) (challenge []byte, done bool, err error) {
	if len(response) > MaxMessage {
		return nil, false, malformed(s.mech + ": message too long")
	}
	b, err := s.parse(string(response))
	if err != nil {
		return nil, false, err
	}
	s.claim = b.User
	user, err := s.check(b)
	if err == nil {
		s.user = user
		return nil, true, nil
	}
	if !errors.Is(err, ErrCredentials) {
		return nil, false, err
	}
	why, refused := err, &TokenError{Status: "invalid_token"}
	_ = errors.As(err, &refused)
	said := map[string]string{"status": refused.Status}
	if s.mech == XOAuth2 {
		said["schemes"] = "Bearer"
	}
	if refused.Scope != "" {
		said["scope"] = refused.Scope
	}
	if refused.Configuration != "" {
		said["openid-configuration"] = refused.Configuration
	}
	if challenge, err = json.Marshal(said); err != nil {
		return nil, false, fmt.Errorf("sasl: %w", err)
	}
	s.step, s.err = bearerRefused, fmt.Errorf("%s: %w", s.mech, why)
	return challenge, false, nil
}

// parse reads a message of either mechanism.
func (s *BearerServer) parse(m string) (b Bearer, err error) {
	rest := m
	if s.mech == OAuthBearer {
		if b.User, rest, err = parseGS2Header(m); err != nil {
			return Bearer{}, err
		}
	}
	rest, ok := strings.CutSuffix(rest, "\x01\x01")
	if !ok {
		return Bearer{}, malformed(s.mech + ": message does not end as it must")
	}
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(rest, "\x01") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || strings.ContainsFunc(key, func(r rune) bool { return r > '~' || !isAlpha(byte(r)) }) || seen[key] {
			return Bearer{}, malformed(s.mech + ": a part is no pair of key and value, or is there twice")
		}
		seen[key] = true
		switch {
		case key == "auth":
			b.Token, err = parseBearer(value)
		case key == "user" && s.mech == XOAuth2:
			b.User, err = prepareUser(value)
		case key == "host" && s.mech == OAuthBearer:
			b.Host = value
		case key == "port" && s.mech == OAuthBearer:
			var port uint64
			if port, err = strconv.ParseUint(value, 10, 16); err != nil {
				err = malformed(s.mech + ": port is no port")
			}
			b.Port = int(port)
		} // RFC 7628 §3.1: others are ignored
		if err != nil {
			return Bearer{}, err
		}
	}
	if !seen["auth"] || s.mech == XOAuth2 && !seen["user"] {
		return Bearer{}, malformed(s.mech + ": message without token or user")
	}
	return b, nil
}

// parseGS2Header reads "n,a=user," in front of the pairs (RFC 5801 §4). There is no channel binding in OAUTHBEARER.
func parseGS2Header(m string) (user, rest string, err error) {
	flag, after, _ := strings.Cut(m, ",")
	name, rest, ok := strings.Cut(after, ",\x01")
	if flag != "n" && flag != "y" || !ok {
		return "", "", malformed("OAUTHBEARER: message does not begin as it must")
	}
	if name == "" {
		return "", rest, nil
	}
	name, ok = strings.CutPrefix(name, "a=")
	if !ok {
		return "", "", malformed("OAUTHBEARER: name without a=")
	}
	if name, err = decodeSaslname(name); err != nil {
		return "", "", err
	}
	user, err = prepareUser(name)
	return user, rest, err
}

// parseBearer takes the token out of "Bearer TOKEN". The scheme is compared without regard to case (RFC 7235 §2.1).
func parseBearer(value string) (string, error) {
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isToken(token) || len(token) > MaxToken {
		return "", malformed("no bearer token, or too long a one")
	}
	return token, nil
}
