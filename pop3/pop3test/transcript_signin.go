package pop3test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// login makes the connection and signs in. It tries again while the maildrop is in use, because a server may need a moment
// to notice that the session before has ended.
func (p *dialogue) login(ctx context.Context, s transcriptStep) error {
	ctx, cancel := context.WithTimeout(ctx, TranscriptTimeout)
	defer cancel()
	for {
		if p.conns[s.conn] != nil {
			return fmt.Errorf("connection %d is open already", s.conn)
		}
		v, err := p.visit(ctx, s.conn)
		if err != nil {
			return err
		}
		_ = v.SetDeadline(time.Now().Add(TranscriptTimeout))
		status, err := v.signIn(s.words[0], s.words[1])
		if err != nil || status.OK {
			return err
		}
		if status.Code != pop3.CodeInUse {
			return fmt.Errorf("server refuses the sign-in: [%s] %s", status.Code, status.Text)
		}
		delete(p.conns, s.conn)
		_ = v.Close()
		select {
		case <-ctx.Done():
			return errors.New("the maildrop stays in use")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// signIn reads the greeting and signs in by USER and PASS.
func (v *visit) signIn(user, pass string) (status pop3.Status, err error) {
	for _, command := range []string{"", "USER " + user, "PASS " + pass} {
		if command != "" {
			v.write([]byte(command + "\r\n"))
		}
		line, err := v.readLine()
		if err != nil {
			return status, err
		}
		if status, err = pop3.ParseStatus(line); err != nil || !status.OK {
			return status, err
		}
	}
	return status, nil
}

// authenticate runs the AUTH command up to the last response of the server, which is left for the next step. It sends no
// initial response, and answers the server's proof as RFC 5034 §4 says.
func (v *visit) authenticate(mech, user, pass string) error {
	c, err := sasl.NewClient(mech, sasl.ClientOptions{User: user, Password: pass})
	if err != nil {
		return err
	}
	_, first, err := c.Start()
	if err != nil {
		return err
	}
	out := "AUTH " + mech
	for {
		v.write([]byte(out + "\r\n"))
		// A continuation begins with "+ ", a status with "+O" or "-E": two octets tell them apart, and the next step
		// reads what is not a continuation.
		if b, err := v.r.Peek(2); err != nil || string(b) != "+ " {
			if m, ok := c.(sasl.MutualClient); ok && string(b) == "+O" && !m.Verified() {
				return errors.New("server accepts without proving itself")
			}
			return err
		}
		line, err := v.readLine()
		if err != nil {
			return err
		}
		challenge, err := sasl.DecodeBase64([]byte(line[2:]))
		if err != nil {
			return err
		}
		resp := first
		if first = nil; resp == nil {
			if resp, err = c.Next(challenge); err != nil {
				return err
			}
		} else if len(challenge) > 0 {
			return fmt.Errorf("server sends %q where the client speaks first", challenge)
		}
		out = sasl.EncodeBase64(resp)
	}
}
