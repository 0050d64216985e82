package sasl

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
)

// ScramServerOptions are what a ScramServer needs. Lookup is required.
type ScramServerOptions struct {
	// Lookup returns what is kept of user's password. authz is the identity to act as, empty for the user's own; both are
	// prepared (see Prepare). For an unknown user it returns FakeScramCredentials; an error ends the exchange at once.
	Lookup func(authz, user string) (ScramCredentials, error)
	// Bindings are the channel bindings that this connection has. If there is any, the mechanism is the one whose name
	// ends with -PLUS, and the client must use one of them. None means the mechanism without channel binding.
	Bindings []ChannelBinding
	// PlusOffered says that a -PLUS mechanism with the same hash was offered to this client. A client that can bind and
	// says that none was offered is then refused: somebody changed the list on its way (RFC 5802 §6).
	PlusOffered bool
	// Nonce returns the server's part of the nonce: visible ASCII without the comma. Nil means 130 random bits. Only tests
	// set it.
	Nonce func() string
}

// A ScramServer is the server's end of SCRAM (RFC 5802, RFC 7677), with and without channel binding.
type ScramServer struct {
	hash        ScramHash
	opt         ScramServerOptions
	step        scramStep
	authz, user string

	gs2        string // the gs2-header as received
	binding    []byte
	nonce      string
	firstBare  string
	firstReply string
	cred       ScramCredentials
}

type scramStep int

const (
	scramStart scramStep = iota
	scramFirst
	scramFinal
	scramOver
)

// NewScramServer returns the server's end of SCRAM.
func NewScramServer(hash ScramHash, opt ScramServerOptions) *ScramServer {
	if opt.Nonce == nil {
		opt.Nonce = rand.Text
	}
	return &ScramServer{hash: hash, opt: opt}
}

// Names returns what the client said it is.
func (s *ScramServer) Names() (authz, user string) { return s.authz, s.user }

// Next takes the client's first message and its final one. The challenge that comes with done is the server's proof,
// which must reach the client.
func (s *ScramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	step := s.step
	s.step = scramOver
	if len(response) > MaxMessage {
		return nil, false, malformed("SCRAM: message too long")
	}
	switch step {
	case scramStart:
		if response == nil {
			s.step = scramFirst
			return []byte{}, false, nil
		}
		fallthrough
	case scramFirst:
		if challenge, err = s.first(string(response)); err != nil {
			return nil, false, err
		}
		s.step = scramFinal
		return challenge, false, nil
	case scramFinal:
		if challenge, err = s.final(string(response)); err != nil {
			return nil, false, err
		}
		return challenge, true, nil
	}
	return nil, false, malformed("SCRAM: message after the end")
}

// first handles client-first-message: gs2-header, then ["m=" ...] n=name,r=nonce[,extensions].
func (s *ScramServer) first(msg string) ([]byte, error) {
	flag, rest, ok := strings.Cut(msg, ",")
	if !ok {
		return nil, malformed("SCRAM: no gs2 header")
	}
	if err := s.checkFlag(flag); err != nil {
		return nil, err
	}
	authz, bare, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, malformed("SCRAM: no gs2 header")
	}
	if authz != "" {
		value, _, err := attribute(authz, 'a')
		if err != nil {
			return nil, err
		}
		if s.authz, err = scramName(value, prepareAuthz); err != nil {
			return nil, err
		}
	}
	s.gs2, s.firstBare = msg[:len(msg)-len(bare)], bare

	// A mandatory extension, m=, stands where the name must be, so it is refused here (RFC 5802 §5.1).
	name, rest, err := attribute(bare, 'n')
	if err != nil {
		return nil, err
	}
	if s.user, err = scramName(name, prepareUser); err != nil {
		return nil, err
	}
	nonce, ext, err := attribute(rest, 'r')
	if err != nil {
		return nil, err
	}
	if !isNonce(nonce) {
		return nil, malformed("SCRAM: nonce has a character that is not allowed")
	}
	if err := extensions(ext, len(rest) > len("r=")+len(nonce)); err != nil {
		return nil, err
	}

	if s.cred, err = s.opt.Lookup(s.authz, s.user); err != nil {
		return nil, err
	}
	if !s.cred.fit(s.hash) {
		return nil, errors.New("sasl: SCRAM credentials found do not fit " + s.hash.Mechanism(false))
	}
	s.nonce = nonce + s.opt.Nonce()
	s.firstReply = "r=" + s.nonce + ",s=" + EncodeBase64(s.cred.Salt) + ",i=" + strconv.Itoa(s.cred.Iterations)
	return []byte(s.firstReply), nil
}

// checkFlag checks the gs2-cbind-flag (RFC 5802 §6) and finds the binding data that it names.
func (s *ScramServer) checkFlag(flag string) error {
	plus := len(s.opt.Bindings) > 0
	switch {
	case flag == "n" && !plus:
		return nil
	case flag == "y" && !plus && !s.opt.PlusOffered:
		return nil
	case flag == "y" && !plus:
		return malformed("SCRAM: client did not see the -PLUS mechanism that was offered")
	case strings.HasPrefix(flag, "p=") && isBindingType(flag[2:]) && plus:
		for _, b := range s.opt.Bindings {
			if b.Type == flag[2:] {
				s.binding = b.Data
				return nil
			}
		}
		return malformed("SCRAM: channel binding of an unknown type")
	}
	return malformed("SCRAM: channel binding flag does not fit the mechanism")
}

// final handles client-final-message: c=binding,r=nonce[,extensions],p=proof.
func (s *ScramServer) final(msg string) ([]byte, error) {
	i := strings.LastIndex(msg, ",p=")
	if i < 0 {
		return nil, malformed("SCRAM: no proof")
	}
	withoutProof := msg[:i]
	proof, err := DecodeBase64([]byte(msg[i+len(",p="):]))
	if err != nil || len(proof) != s.hash.Size() {
		return nil, malformed("SCRAM: proof is not a hash in base64")
	}
	binding, rest, err := attribute(withoutProof, 'c')
	if err != nil {
		return nil, err
	}
	nonce, ext, err := attribute(rest, 'r')
	if err != nil {
		return nil, err
	}
	if err := extensions(ext, len(rest) > len("r=")+len(nonce)); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(s.nonce)) != 1 {
		return nil, malformed("SCRAM: nonce is not the one of this exchange")
	}
	want := EncodeBase64(append([]byte(s.gs2), s.binding...))
	if subtle.ConstantTimeCompare([]byte(binding), []byte(want)) != 1 {
		return nil, malformed("SCRAM: channel binding does not fit this connection")
	}
	authMessage := s.firstBare + "," + s.firstReply + "," + withoutProof
	clientKey := xor(proof, s.hash.hmac(s.cred.StoredKey, authMessage))
	if subtle.ConstantTimeCompare(s.hash.sum(clientKey), s.cred.StoredKey) != 1 {
		return nil, ErrCredentials
	}
	return []byte("v=" + EncodeBase64(s.hash.hmac(s.cred.ServerKey, authMessage))), nil
}

// scramName undoes the escapes of a saslname and prepares it.
func scramName(value string, prepare func(string) (string, error)) (string, error) {
	name, err := decodeSaslname(value)
	if err != nil {
		return "", err
	}
	return prepare(name)
}
