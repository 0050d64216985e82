package sasl

// A LoginServer is the server's end of LOGIN (draft-murchison-sasl-login-00), which was never a standard but is spoken
// by old clients.
type LoginServer struct {
	check func(user, pass string) error
	user  string
	step  loginStep
}

type loginStep int

const (
	loginStart loginStep = iota
	loginUser
	loginPassword
	loginOver
)

// NewLoginServer returns the server's end of LOGIN. check gets the name and the password, prepared (see Prepare), and
// returns nil or an error that wraps ErrCredentials.
func NewLoginServer(check func(user, pass string) error) *LoginServer {
	return &LoginServer{check: check}
}

// Names returns what the client said it is. authz is always empty: LOGIN cannot carry one.
func (s *LoginServer) Names() (authz, user string) { return "", s.user }

// Next asks for the name, then for the password. An initial response, which some clients send, is taken as the name.
func (s *LoginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch s.step {
	case loginStart:
		if response == nil {
			s.step = loginUser
			return []byte("Username:"), false, nil
		}
		fallthrough
	case loginUser:
		if s.user, err = prepareUser(string(response[:min(len(response), MaxName+1)])); err != nil {
			s.step = loginOver
			return nil, false, err
		}
		s.step = loginPassword
		return []byte("Password:"), false, nil
	case loginPassword:
		s.step = loginOver
		pass, err := preparePassword(string(response[:min(len(response), MaxSecret+1)]))
		if err != nil {
			return nil, false, err
		}
		if err := s.check(s.user, pass); err != nil {
			return nil, false, err
		}
		return nil, true, nil
	}
	return nil, false, malformed("LOGIN: message after the end")
}

// A LoginClient is the client's end of LOGIN.
type LoginClient struct {
	user, pass string
	step       int
}

// NewLoginClient returns the client's end of LOGIN. LOGIN shows the password as PLAIN does: use it under TLS only, and
// only with servers that have nothing else.
func NewLoginClient(user, pass string) *LoginClient { return &LoginClient{user: user, pass: pass} }

// Start returns no initial response: the server speaks first.
func (c *LoginClient) Start() (mech string, ir []byte, err error) {
	if _, _, err := prepareUserPassword(c.user, c.pass); err != nil {
		return "", nil, err
	}
	return Login, nil, nil
}

// Next answers the first challenge with the name and the second with the password. What the challenges say differs from
// server to server and is not looked at.
func (c *LoginClient) Next([]byte) (response []byte, err error) {
	c.step++
	switch c.step {
	case 1:
		return []byte(c.user), nil
	case 2:
		return []byte(c.pass), nil
	}
	return nil, malformed("LOGIN: more than two challenges")
}
