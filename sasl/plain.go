package sasl

import "strings"

// A PlainServer is the server's end of PLAIN (RFC 4616).
type PlainServer struct {
	check       func(authz, user, pass string) error
	authz, user string
	started     bool
	over        bool
}

// NewPlainServer returns the server's end of PLAIN. check gets the identity to act as (empty for the user's own), the
// user's name and the password, all prepared (see Prepare), and returns nil or an error that wraps ErrCredentials.
func NewPlainServer(check func(authz, user, pass string) error) *PlainServer {
	return &PlainServer{check: check}
}

// Names returns what the client said it is.
func (s *PlainServer) Names() (authz, user string) { return s.authz, s.user }

// Next takes the one message of PLAIN: [authzid] NUL authcid NUL passwd.
func (s *PlainServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.over {
		return nil, false, malformed("PLAIN: message after the end")
	}
	if response == nil && !s.started {
		s.started = true
		return []byte{}, false, nil
	}
	s.over = true
	if len(response) > MaxMessage {
		return nil, false, malformed("PLAIN: message too long")
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 {
		return nil, false, malformed("PLAIN: message does not have three parts")
	}
	authz, err := prepareAuthz(parts[0])
	if err != nil {
		return nil, false, err
	}
	user, pass, err := prepareUserPassword(parts[1], parts[2])
	if err != nil {
		return nil, false, err
	}
	s.authz, s.user = authz, user
	if err := s.check(authz, user, pass); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// A PlainClient is the client's end of PLAIN (RFC 4616).
type PlainClient struct {
	authz, user, pass string
}

// NewPlainClient returns the client's end of PLAIN. authz is the identity to act as, empty for the user's own.
// PLAIN shows the password to the server and to whoever reads the connection: use it under TLS only.
func NewPlainClient(authz, user, pass string) *PlainClient {
	return &PlainClient{authz: authz, user: user, pass: pass}
}

// Start returns the whole message. It fails if a part cannot be sent.
func (c *PlainClient) Start() (mech string, ir []byte, err error) {
	if _, err := prepareAuthz(c.authz); err != nil {
		return "", nil, err
	}
	if _, _, err := prepareUserPassword(c.user, c.pass); err != nil {
		return "", nil, err
	}
	// RFC 4616 §2: it is the server that prepares the strings, so they go out as they are.
	return Plain, []byte(c.authz + "\x00" + c.user + "\x00" + c.pass), nil
}

// Next fails: PLAIN has no challenge.
func (c *PlainClient) Next([]byte) (response []byte, err error) {
	return nil, malformed("PLAIN: challenge after the message")
}

// prepareAuthz prepares an authorization identity, which may be empty.
func prepareAuthz(authz string) (string, error) {
	if len(authz) > MaxName {
		return "", malformed("authorization identity too long")
	}
	return Prepare(authz)
}

func prepareUser(user string) (string, error) {
	if user == "" {
		return "", malformed("user name empty")
	}
	if len(user) > MaxName {
		return "", malformed("user name too long")
	}
	return Prepare(user)
}

func preparePassword(pass string) (string, error) {
	if pass == "" {
		return "", malformed("password empty")
	}
	if len(pass) > MaxSecret {
		return "", malformed("password too long")
	}
	return Prepare(pass)
}

func prepareUserPassword(user, pass string) (u, p string, err error) {
	if u, err = prepareUser(user); err != nil {
		return "", "", err
	}
	if p, err = preparePassword(pass); err != nil {
		return "", "", err
	}
	return u, p, nil
}
