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
	if opt.Token != "" && state == nil {
		return ErrCleartext // a token is shown to verified servers only (RFC 7628 §3)
	}
	var offered []string
	for _, c := range p.caps {
		if m, ok := strings.CutPrefix(c, "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	credentials := sasl.ClientOptions{
		User: opt.User, Password: opt.Password, Token: opt.Token, Offered: offered, Binding: sasl.ClientBinding(state),
	}
	if host, port, err := net.SplitHostPort(opt.Addr); err == nil {
		credentials.Host = host
		credentials.Port, _ = strconv.Atoi(port)
	}
	mech, err := p.choose(opt, offered, sasl.SelectOptions{
		TLS: state != nil, Binding: credentials.Binding != nil, AllowPlaintext: opt.AllowCleartext, Token: opt.Token != "",
	})
	if err != nil {
		return err
	}
	initial := p.has("SASL-IR")
	p.caps = nil // they may be others afterwards (RFC 3501 §6.2.2)
	if mech == "" {
		return p.login(opt.User, opt.Password)
	}
	client, err := sasl.NewClient(mech, credentials)
	if err != nil {
		return err
	}
	err = p.authenticate(client, initial)
	if bearer, ok := client.(*sasl.BearerClient); ok && err != nil && bearer.Refused() != nil {
		return &TokenError{Refusal: err, Said: bearer.Refused()}
	}
	return err
}

// choose returns the mechanism to sign in with, or none for the command LOGIN.
func (p *plain) choose(opt *Options, offered []string, can sasl.SelectOptions) (mech string, err error) {
	allowed := slices.DeleteFunc(slices.Clone(offered), func(m string) bool { return !opt.allows(m) })
	if mech = sasl.SelectMechanism(allowed, can); mech != "" {
		return mech, nil
	}
	command := !can.Token && opt.allows(loginCommand) && !p.has("LOGINDISABLED")
	if command && (can.TLS || can.AllowPlaintext) {
		return "", nil
	}
	can.AllowPlaintext = true
	if command || sasl.SelectMechanism(allowed, can) != "" {
		return "", ErrCleartext
	}
	return "", ErrNoMechanism
}

// A TokenError is a server's refusal of a token, with its reason.
type TokenError struct{ Refusal, Said error }

func (e *TokenError) Error() string { return e.Refusal.Error() + " (" + e.Said.Error() + ")" }

// Unwrap returns both.
func (e *TokenError) Unwrap() []error { return []error{e.Refusal, e.Said} }

func (o *Options) allows(mech string) bool {
	return len(o.Mechanisms) == 0 || sasl.Offers(o.Mechanisms, mech)
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
