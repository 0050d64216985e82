package imapclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/postamt/postamt/sasl"
)

// loginCommand is the name of the LOGIN command in Options.Mechanisms.
const loginCommand = "LOGIN"

// signIn signs in with the best way that the server offers and the options allow. state is nil without TLS.
func (p *plain) signIn(opt *Options, state *tls.ConnectionState) error {
	var offered []string
	for _, c := range p.caps {
		if m, ok := strings.CutPrefix(c, "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	if opt.Token != "" {
		return p.signInWithToken(opt, offered, state != nil)
	}
	allowed := slices.DeleteFunc(slices.Clone(offered), func(m string) bool { return !opt.allows(m) })
	binding := bindingOf(state)
	choice := sasl.SelectOptions{TLS: state != nil, Binding: binding != nil, AllowPlaintext: opt.AllowCleartext}
	mech := sasl.SelectMechanism(allowed, choice)
	command := mech == "" && opt.allows(loginCommand) && !p.has("LOGINDISABLED")
	if command && state == nil && !opt.AllowCleartext {
		return ErrCleartext
	}
	if mech == "" && !command {
		choice.AllowPlaintext = true
		if sasl.SelectMechanism(allowed, choice) != "" {
			return ErrCleartext
		}
		return ErrNoMechanism
	}
	initial := p.has("SASL-IR")
	p.caps = nil // they may be others afterwards (RFC 3501 §6.2.2)
	if command {
		return p.login(opt.User, opt.Password)
	}
	client, err := mechanism(mech, offered, binding, opt.User, opt.Password)
	if err != nil {
		return err
	}
	return p.authenticate(client, initial)
}

// signInWithToken signs in with an access token, which is shown to verified servers only (RFC 7628 §3).
func (p *plain) signInWithToken(opt *Options, offered []string, secure bool) error {
	if !secure {
		return ErrCleartext
	}
	mech := ""
	for _, m := range []string{sasl.XOAuth2, sasl.OAuthBearer} { // the second one is better
		if sasl.Offers(offered, m) && opt.allows(m) {
			mech = m
		}
	}
	if mech == "" {
		return ErrNoMechanism
	}
	bearer := sasl.Bearer{User: opt.User, Token: opt.Token}
	if host, port, err := net.SplitHostPort(opt.Addr); err == nil {
		bearer.Host = host
		bearer.Port, _ = strconv.Atoi(port)
	}
	client := sasl.NewXOAuth2Client(bearer)
	if mech == sasl.OAuthBearer {
		client = sasl.NewOAuthBearerClient(bearer)
	}
	initial := p.has("SASL-IR")
	p.caps = nil
	err := p.authenticate(client, initial)
	if said := client.Refused(); err != nil && said != nil {
		return &TokenError{Refusal: err, Said: said}
	}
	return err
}

// A TokenError is a server's refusal of a token, with its reason.
type TokenError struct{ Refusal, Said error }

func (e *TokenError) Error() string { return e.Refusal.Error() + " (" + e.Said.Error() + ")" }

// Unwrap returns both.
func (e *TokenError) Unwrap() []error { return []error{e.Refusal, e.Said} }

func (o *Options) allows(mech string) bool {
	return len(o.Mechanisms) == 0 || sasl.Offers(o.Mechanisms, mech)
}

// bindingOf returns the channel binding of the connection: tls-exporter, or where TLS cannot do that,
// tls-server-end-point.
func bindingOf(state *tls.ConnectionState) *sasl.ChannelBinding {
	if state == nil {
		return nil
	}
	b, err := sasl.TLSExporter(state)
	if err != nil {
		b, err = sasl.TLSServerEndPoint(state.PeerCertificates[0])
	}
	if err != nil {
		return nil
	}
	return &b
}

// mechanism returns the client's end of a mechanism that sasl.SelectMechanism chose.
func mechanism(mech string, offered []string, binding *sasl.ChannelBinding, user, password string) (sasl.Client, error) {
	opt := sasl.ScramClientOptions{User: user, Password: password}
	switch {
	case strings.HasSuffix(mech, "-PLUS"):
		opt.Binding = binding
	case binding != nil:
		// RFC 5802 §6: the server notices if somebody took the -PLUS mechanisms off the list.
		opt.NoPlusOffered = !slices.ContainsFunc(offered, func(m string) bool { return strings.HasSuffix(m, "-PLUS") })
	}
	switch mech {
	case sasl.ScramSHA256Plus, sasl.ScramSHA256:
		return sasl.NewScramClient(sasl.SHA256, opt), nil
	case sasl.ScramSHA1Plus, sasl.ScramSHA1:
		return sasl.NewScramClient(sasl.SHA1, opt), nil
	case sasl.CRAMMD5:
		return sasl.NewCRAMMD5Client(user, password), nil
	case sasl.Plain:
		return sasl.NewPlainClient("", user, password), nil
	case sasl.Login:
		return sasl.NewLoginClient(user, password), nil
	}
	return nil, fmt.Errorf("%w: no client for %s", ErrNoMechanism, mech)
}

// authenticate goes through a SASL exchange (RFC 3501 §6.2.2, RFC 4959).
func (p *plain) authenticate(client sasl.Client, initial bool) error {
	mech, response, err := client.Start()
	if err != nil {
		return err
	}
	shown := "AUTHENTICATE " + mech
	line := shown
	if response != nil && initial {
		line += " " + sasl.EncodeInitialResponse(response)
		response = nil
	}
	tag, err := p.begin(line)
	if err != nil {
		return &ConnError{shown, err}
	}
	for range maxRounds {
		challenge, err := p.answer(shown, tag)
		if err != nil {
			return err
		}
		if challenge == nil {
			if mutual, ok := client.(sasl.MutualClient); ok && !mutual.Verified() {
				return ErrServerProof
			}
			return nil
		}
		next := response
		if response == nil {
			if next, err = respond(client, *challenge); err != nil {
				return p.cancel(shown, tag, err)
			}
		}
		response = nil
		if _, err := p.Write([]byte(sasl.EncodeBase64(next) + "\r\n")); err != nil {
			return &ConnError{shown, err}
		}
	}
	return &ConnError{shown, fmt.Errorf("%w: challenges without end", ErrProtocol)}
}

func respond(client sasl.Client, encoded string) ([]byte, error) {
	challenge, err := sasl.DecodeBase64([]byte(encoded))
	if err != nil {
		return nil, err
	}
	return client.Next(challenge)
}

// cancel gives an exchange up and returns why.
func (p *plain) cancel(shown, tag string, why error) error {
	if errors.Is(why, sasl.ErrServerProof) {
		return ErrServerProof // whoever this is, it is not the server
	}
	if _, err := p.Write([]byte("*\r\n")); err != nil {
		return fmt.Errorf("%s: %w", shown, why)
	}
	_, _ = p.answer(shown, tag) // it is given up whatever the answer
	return fmt.Errorf("%s: %w", shown, why)
}

// login signs in with LOGIN (RFC 3501 §6.2.3). What does not fit into quotes goes as a literal.
func (p *plain) login(user, password string) error {
	p.tag++
	tag := "P" + strconv.Itoa(p.tag)
	line := tag + " LOGIN"
	for _, arg := range []string{user, password} {
		if quotable(arg) {
			line += ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`
			continue
		}
		if _, err := fmt.Fprintf(p.guard, "%s {%d}\r\n", line, len(arg)); err != nil {
			return &ConnError{loginCommand, err}
		}
		more, err := p.answer(loginCommand, tag)
		if err != nil {
			return err
		}
		if more == nil {
			return &ConnError{loginCommand, fmt.Errorf("%w: it accepts a sign-in without a password", ErrProtocol)}
		}
		line = arg
	}
	if _, err := p.Write([]byte(line + "\r\n")); err != nil {
		return &ConnError{loginCommand, err}
	}
	more, err := p.answer(loginCommand, tag)
	if err == nil && more != nil {
		err = &ConnError{loginCommand, fmt.Errorf("%w: it wants more than user and password", ErrProtocol)}
	}
	return err
}

func quotable(s string) bool {
	return len(s) <= 1000 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
