package sasl

import (
	"encoding/json"
	"strconv"
	"strings"
)

// MaxToken is the longest bearer token, in octets.
const MaxToken = 6 << 10

// A Bearer is what a client sends with OAUTHBEARER or XOAUTH2.
type Bearer struct {
	// User is the mailbox to act on, as the client says; empty if it leaves that to the token.
	User string
	// Token is the access token (RFC 6750 §2.1).
	Token string
	// Host and Port are the server that the client means to talk to; empty and 0 if it did not say. XOAUTH2 has neither.
	Host string
	Port int
}

// A TokenError says that a server refused a bearer token, and what it said about that (RFC 7628 §3.2.2). Nothing but
// Status is ever certain to be there, and a server that says nothing at all leaves all of it empty.
type TokenError struct {
	// Status is an error of RFC 6750 §3.1 ("invalid_token", "insufficient_scope", "invalid_request"), or the number of an
	// HTTP status, which is what servers of XOAUTH2 say.
	Status string
	// Scope is what a token would need, separated by spaces.
	Scope string
	// Configuration is the address of the provider's metadata ("openid-configuration").
	Configuration string
}

// Error says what the server said. There is nothing of the token in it.
func (e *TokenError) Error() string {
	text := "sasl: the server refused the token"
	if e.Status != "" {
		text += " (" + e.Status + ")"
	}
	if e.Scope != "" {
		text += ", it asks for the scope " + strconv.Quote(e.Scope)
	}
	return text
}

// Is makes every TokenError an ErrCredentials.
func (e *TokenError) Is(target error) bool { return target == ErrCredentials }

// A BearerClient is the client's end of OAUTHBEARER (RFC 7628) or of XOAUTH2, which Google made up before there was a
// standard. Both show the token to the server and to whoever reads the connection: use them under TLS only.
//
// A server that refuses the token first says why, in a challenge. Next answers that as the mechanism demands, so that the
// server can refuse the exchange, and Refused has what it said.
type BearerClient struct {
	mech    string
	bearer  Bearer
	refused *TokenError
	answer  []byte // to the server's error
}

// NewOAuthBearerClient returns the client's end of OAUTHBEARER (RFC 7628).
func NewOAuthBearerClient(b Bearer) *BearerClient {
	return &BearerClient{mech: OAuthBearer, bearer: b, answer: []byte{separator}}
}

// NewXOAuth2Client returns the client's end of XOAUTH2. Host and Port are not sent.
func NewXOAuth2Client(b Bearer) *BearerClient {
	return &BearerClient{mech: XOAuth2, bearer: b, answer: []byte{}}
}

// separator stands between the parts of a message.
const separator = '\x01'

// Start returns the whole message. It fails if a part cannot be sent.
func (c *BearerClient) Start() (mech string, ir []byte, err error) {
	b := &c.bearer
	switch {
	case len(b.Token) > MaxToken:
		return "", nil, malformed("token too long")
	case !isToken(b.Token):
		return "", nil, malformed("token empty, or with octets that no token has")
	case b.Host != "" && !isVisible(b.Host), b.Port < 0 || b.Port > 65535:
		return "", nil, malformed("host or port cannot be sent")
	}
	if b.User != "" || c.mech == XOAuth2 {
		if _, err := prepareUser(b.User); err != nil {
			return "", nil, err
		}
		if strings.ContainsRune(b.User, separator) {
			return "", nil, malformed("user name with a control character")
		}
	}
	var m strings.Builder
	if c.mech == XOAuth2 {
		m.WriteString("user=" + b.User + "\x01")
	} else {
		m.WriteString("n,")
		if b.User != "" {
			m.WriteString("a=" + saslnameEscaper.Replace(b.User))
		}
		m.WriteString(",\x01")
		if b.Host != "" {
			m.WriteString("host=" + b.Host + "\x01")
		}
		if b.Port != 0 {
			m.WriteString("port=" + strconv.Itoa(b.Port) + "\x01")
		}
	}
	m.WriteString("auth=Bearer " + b.Token + "\x01\x01")
	if m.Len() > MaxMessage {
		return "", nil, malformed("message too long")
	}
	return c.mech, []byte(m.String()), nil
}

// Next takes the server's error and returns the answer that ends the exchange (RFC 7628 §3.2.3).
func (c *BearerClient) Next(challenge []byte) (response []byte, err error) {
	if c.refused != nil {
		return nil, malformed(c.mech + ": challenge after the error")
	}
	c.refused = parseTokenError(challenge, c.bearer.Token)
	return c.answer, nil
}

// Refused returns what the server said about the token, nil if it has not refused it.
func (c *BearerClient) Refused() error {
	if c.refused == nil {
		return nil
	}
	return c.refused
}

// maxTokenError bounds each part of a TokenError, in octets.
const maxTokenError = 500

// parseTokenError reads the server's JSON, as far as it is any: servers of XOAUTH2 write the status as a text or a number.
// What cannot be shown to people, or has the token in it, is left out.
func parseTokenError(challenge []byte, token string) *TokenError {
	e := new(TokenError)
	if len(challenge) > MaxMessage {
		return e
	}
	var said struct {
		Status, Scope json.RawMessage
		Configuration json.RawMessage `json:"openid-configuration"`
	}
	if json.Unmarshal(challenge, &said) != nil {
		return e
	}
	for part, raw := range map[*string]json.RawMessage{&e.Status: said.Status, &e.Scope: said.Scope, &e.Configuration: said.Configuration} {
		text := string(raw)
		if strings.HasPrefix(text, `"`) && json.Unmarshal(raw, &text) != nil {
			continue
		}
		if text != "null" && len(text) <= maxTokenError && !strings.ContainsFunc(text, notPrintable) && !strings.Contains(text, token) {
			*part = text
		}
	}
	return e
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

// isToken takes what a token can have in practice: RFC 6750 §2.1 allows less.
func isToken(s string) bool { return s != "" && isVisible(s) }

func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
