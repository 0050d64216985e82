package pop3server

import (
	"context"
	"errors"

	"github.com/postamt/postamt/pop3"
)

var cmdQuit = command{verb: "QUIT", in: inAuth | inTrans, run: (*Conn).doQuit}

// doQuit removes what is marked, gives the maildrop back, and only then says how it went (RFC 1939 §6).
func (c *Conn) doQuit([]byte) error {
	if !c.signedIn() {
		c.w.OK("goodbye")
		return end(ReasonQuit, nil)
	}
	c.state = pop3.StateUpdate
	left, _ := c.drop.left()
	err := c.update()
	c.release()
	if err != nil {
		e := c.quitError(err)
		c.w.Fail(string(e.Code), e.Text)
		return end(ReasonQuit, err)
	}
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK goodbye, "...)
	if left == 0 {
		b = append(b, "maildrop is empty"...)
	} else {
		b = append(appendMessages(b, left), " left"...)
	}
	c.w.Commit(append(b, '\r', '\n'))
	return end(ReasonQuit, nil)
}

// update has the backend remove what is marked. Its context does not end with the connection: clients hang up right
// after QUIT.
func (c *Conn) update() error {
	d := &c.drop
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.s.opt.BackendTimeout)
	defer cancel()
	err := d.Update(ctx, Outcome{Deleted: d.deleted.list(), Retrieved: d.retrieved.list()})
	var partial *PartialError
	switch {
	case err == nil:
		c.sum.Removed = d.deleted.count
	case errors.As(err, &partial):
		c.sum.Removed = len(partial.Removed)
	}
	return err
}

// quitError returns what to tell the client about a failed update.
func (c *Conn) quitError(err error) *pop3.Error {
	var partial *PartialError
	var own *pop3.Error
	if errors.As(err, &partial) && !errors.As(err, &own) {
		ref := reference()
		c.s.opt.Logger.Error("some deleted messages not removed", "conn", c.ID(), "user", c.sum.User, "ref", ref, "err", err)
		return &pop3.Error{Code: pop3.CodeSysTemp, Text: "some deleted messages not removed, ref " + ref}
	}
	return c.wireError(err)
}
