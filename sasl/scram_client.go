package sasl

import (
	"crypto/rand"
	"crypto/subtle"
	"strconv"
	"strings"
)

// ScramClientOptions are what a ScramClient needs. User and Password are required.
type ScramClientOptions struct {
	// Authz is the identity to act as, empty for the user's own.
	Authz string
	// User and Password are the credentials, as the person typed them: the client prepares them (see Prepare).
	User, Password string
	// Binding is the channel binding to use. With it the mechanism is the one whose name ends with -PLUS. Nil means the
	// mechanism without channel binding.
	Binding *ChannelBinding
	// NoPlusOffered, without Binding, says that this client can bind channels and the server listed no -PLUS mechanism.
	// The server then notices if somebody has changed the list (RFC 5802 §6). If the server did list one that could not be
	// used, it must stay false.
	NoPlusOffered bool
	// MinIterations and MaxIterations bound what the client takes from the server. 0 means the constants of these names.
	MinIterations, MaxIterations int
	// Nonce returns the client's nonce: visible ASCII without the comma. Nil means 130 random bits. Only tests set it.
	Nonce func() string
}

// A ScramClient is the client's end of SCRAM (RFC 5802, RFC 7677). It is a MutualClient.
type ScramClient struct {
	hash     ScramHash
	opt      ScramClientOptions
	step     scramStep
	verified bool

	gs2       string
	nonce     string
	firstBare string
	proof     []byte // the server's, as it must be
}

// NewScramClient returns the client's end of SCRAM.
func NewScramClient(hash ScramHash, opt ScramClientOptions) *ScramClient {
	if opt.Nonce == nil {
		opt.Nonce = rand.Text
	}
	if opt.MinIterations == 0 {
		opt.MinIterations = MinIterations
	}
	if opt.MaxIterations == 0 {
		opt.MaxIterations = MaxIterations
	}
	return &ScramClient{hash: hash, opt: opt}
}

// Verified reports whether the server has proved that it knows the user's credentials.
func (c *ScramClient) Verified() bool { return c.verified }

// Start returns the client's first message.
func (c *ScramClient) Start() (mech string, ir []byte, err error) {
	authz, err := prepareAuthz(c.opt.Authz)
	if err != nil {
		return "", nil, err
	}
	user, _, err := prepareUserPassword(c.opt.User, c.opt.Password)
	if err != nil {
		return "", nil, err
	}
	flag := "n"
	switch {
	case c.opt.Binding != nil:
		flag = "p=" + c.opt.Binding.Type
	case c.opt.NoPlusOffered:
		flag = "y"
	}
	if authz != "" {
		authz = "a=" + saslnameEscaper.Replace(authz)
	}
	c.gs2 = flag + "," + authz + ","
	c.nonce = c.opt.Nonce()
	c.firstBare = "n=" + saslnameEscaper.Replace(user) + ",r=" + c.nonce
	c.step = scramFirst
	return c.hash.Mechanism(c.opt.Binding != nil), []byte(c.gs2 + c.firstBare), nil
}

// Next answers the server's first message with the proof, and its final one with an empty response after checking the
// server's proof. ErrServerProof means that the server does not know the credentials.
func (c *ScramClient) Next(challenge []byte) (response []byte, err error) {
	step := c.step
	c.step = scramOver
	if len(challenge) > MaxMessage {
		return nil, malformed("SCRAM: message too long")
	}
	switch step {
	case scramFirst:
		if response, err = c.first(string(challenge)); err != nil {
			return nil, err
		}
		c.step = scramFinal
		return response, nil
	case scramFinal:
		if err := c.final(string(challenge)); err != nil {
			return nil, err
		}
		c.verified = true
		return []byte{}, nil
	}
	return nil, malformed("SCRAM: message out of turn")
}

// first handles server-first-message: r=nonce,s=salt,i=iterations[,extensions].
func (c *ScramClient) first(msg string) ([]byte, error) {
	// A mandatory extension, m=, stands where the nonce must be, so it is refused here (RFC 5802 §5.1).
	nonce, rest, err := attribute(msg, 'r')
	if err != nil {
		return nil, err
	}
	if !isNonce(nonce) || !strings.HasPrefix(nonce, c.nonce) || len(nonce) == len(c.nonce) {
		return nil, malformed("SCRAM: server did not add to the nonce")
	}
	salt64, rest, err := attribute(rest, 's')
	if err != nil {
		return nil, err
	}
	salt, err := DecodeBase64([]byte(salt64))
	if err != nil {
		return nil, err
	}
	count, ext, err := attribute(rest, 'i')
	if err != nil {
		return nil, err
	}
	if err := extensions(ext, len(rest) > len("i=")+len(count)); err != nil {
		return nil, err
	}
	iterations, err := c.iterations(count)
	if err != nil {
		return nil, err
	}
	salted, err := saltPassword(c.hash, c.opt.Password, salt, iterations)
	if err != nil {
		return nil, err
	}

	binding := []byte(c.gs2)
	if c.opt.Binding != nil {
		binding = append(binding, c.opt.Binding.Data...)
	}
	withoutProof := "c=" + EncodeBase64(binding) + ",r=" + nonce
	authMessage := c.firstBare + "," + msg + "," + withoutProof
	clientKey := c.hash.hmac(salted, "Client Key")
	proof := xor(clientKey, c.hash.hmac(c.hash.sum(clientKey), authMessage))
	c.proof = c.hash.hmac(c.hash.hmac(salted, "Server Key"), authMessage)
	return []byte(withoutProof + ",p=" + EncodeBase64(proof)), nil
}

// iterations reads a posit-number (RFC 5802 §7) within the client's bounds.
func (c *ScramClient) iterations(s string) (int, error) {
	if s[0] < '1' || s[0] > '9' {
		return 0, malformed("SCRAM: iteration count is not a number")
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < c.opt.MinIterations || n > c.opt.MaxIterations {
		return 0, malformed("SCRAM: iteration count is not a number between " +
			strconv.Itoa(c.opt.MinIterations) + " and " + strconv.Itoa(c.opt.MaxIterations))
	}
	return n, nil
}

// final handles server-final-message: v=verifier or e=error, [,extensions].
func (c *ScramClient) final(msg string) error {
	if strings.HasPrefix(msg, "e=") {
		return ErrCredentials
	}
	value, ext, err := attribute(msg, 'v')
	if err != nil {
		return err
	}
	if err := extensions(ext, len(msg) > len("v=")+len(value)); err != nil {
		return err
	}
	got, err := DecodeBase64([]byte(value))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got, c.proof) != 1 {
		return ErrServerProof
	}
	return nil
}
