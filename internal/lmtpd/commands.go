package lmtpd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
)

// An envelope is a mail transaction: MAIL, one RCPT or more, DATA.
type envelope struct {
	sender     string
	utf8       bool
	recipients []recipient
	refused    []string // for the log: "address=code", bounded by MaxRecipients
}

// A recipient is one RCPT that was answered with 250.
type recipient struct {
	address string
	drop    mailstore.DropID
}

func (c *conn) command(line []byte) {
	verb, arg, _ := strings.Cut(string(line), " ")
	arg = strings.TrimSpace(arg)
	before := c.bad
	switch strings.ToUpper(verb) {
	case "LHLO":
		c.lhlo(arg)
	case "HELO", "EHLO": // RFC 2033 §4.1
		c.badCommand(reply{500, "5.5.1", "this is LMTP, say LHLO"})
	case "MAIL":
		c.mail(arg)
	case "RCPT":
		c.rcpt(arg)
	case "DATA":
		c.data(arg)
	case "RSET":
		c.rset()
	case "NOOP":
		c.reply(reply{250, "2.0.0", "ok"})
	case "VRFY": // RFC 5321 §7.3
		c.reply(reply{252, "2.5.0", "send the mail and see"})
	case "HELP":
		c.reply(reply{214, "2.0.0", "LHLO MAIL RCPT DATA RSET NOOP VRFY QUIT"})
	case "QUIT":
		c.reply(reply{221, "2.0.0", "bye"})
		c.quit = true
	case "BDAT":
		// The chunk would follow at once, unframed for us: the connection cannot stay in step.
		c.reply(reply{502, "5.5.1", "CHUNKING is not offered"})
		c.quit = true
	default:
		c.badCommand(reply{500, "5.5.1", "command not known"})
	}
	if c.bad == before {
		c.bad = 0
	}
}

func (c *conn) lhlo(arg string) {
	name, _, _ := strings.Cut(arg, " ")
	if name == "" || len(name) > 255 {
		c.badCommand(reply{501, "5.5.4", "LHLO wants your name"})
		return
	}
	c.drop()
	c.helo = name
	if c.fault == nil {
		_, c.fault = fmt.Fprintf(c.w, "250-%s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"+
			"250-SMTPUTF8\r\n250 SIZE %d\r\n", c.opt.Hostname, c.opt.MaxMessage)
	}
}

func (c *conn) mail(arg string) {
	switch {
	case c.helo == "":
		c.badCommand(reply{503, "5.5.1", "say LHLO first"})
		return
	case c.env != nil:
		c.badCommand(reply{503, "5.5.1", "a transaction is open already"})
		return
	}
	path, ok := parsePath(arg, "FROM:")
	if !ok {
		c.badCommand(reply{501, "5.1.7", "MAIL wants FROM:<address>"})
		return
	}
	params, wrong := parseMailParams(path.params, c.opt.MaxMessage)
	if wrong.code != 0 {
		c.reply(wrong)
		return
	}
	if !params.utf8 && !isASCII(path.path) {
		c.reply(reply{550, "5.6.7", "an address outside ASCII needs SMTPUTF8"}) // RFC 6531 §3.5
		return
	}
	c.env = &envelope{sender: path.path, utf8: params.utf8}
	c.reply(reply{250, "2.1.0", "sender ok"})
}

func (c *conn) rcpt(arg string) {
	if c.env == nil {
		c.badCommand(reply{503, "5.5.1", "say MAIL first"})
		return
	}
	path, ok := parsePath(arg, "TO:")
	if !ok || path.path == "" {
		c.badCommand(reply{501, "5.1.3", "RCPT wants TO:<address>"})
		return
	}
	r := c.addRecipient(path)
	if !r.ok() && len(c.env.refused) < c.opt.MaxRecipients {
		c.env.refused = append(c.env.refused, fmt.Sprintf("%s=%d", path.path, r.code))
	}
	c.reply(r)
}

func (c *conn) addRecipient(path address) reply {
	switch {
	case path.params != "":
		return reply{555, "5.5.4", "RCPT parameter not known"}
	case !c.env.utf8 && !isASCII(path.path):
		return reply{550, "5.6.7", "an address outside ASCII needs SMTPUTF8"}
	case len(c.env.recipients) >= c.opt.MaxRecipients:
		return reply{452, "4.5.3", "too many recipients, send the rest in another transaction"}
	}
	ctx, cancel := context.WithTimeout(c.srv.ctx, c.opt.StoreTimeout)
	defer cancel()
	a, err := c.opt.Directory.Recipient(ctx, path.path)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return reply{550, "5.1.1", "no such user here"}
	case err != nil:
		c.srv.logger(c).Error("lmtp: recipient could not be looked up", "to", path.path, "err", err)
		return reply{451, "4.3.0", "accounts are not available, try again later"}
	}
	c.env.recipients = append(c.env.recipients, recipient{path.path, mailstore.DropID(a.ID)})
	return reply{250, "2.1.5", "recipient ok"}
}

func (c *conn) rset() {
	c.drop()
	c.reply(reply{250, "2.0.0", "ok"})
}

// drop ends a transaction that did not come to DATA. If recipients were refused in it, that is worth a line in the log.
func (c *conn) drop() {
	if c.env != nil && len(c.env.refused) > 0 {
		c.srv.logger(c).Info("mail refused", "helo", c.helo, "from", c.env.sender, "to", c.env.refused)
	}
	c.env = nil
}
