package main

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/internal/terminal"
	"github.com/postamt/postamt/pop3"
)

// signInTimeout bounds each look at a server.
const signInTimeout = 30 * time.Second

// userOf returns the name to sign in with that is tried first.
func (c *fetchAdd) userOf(server *discover.Candidate) string { return c.users(server)[0] }

func (c *fetchAdd) users(server *discover.Candidate) []string {
	switch {
	case c.user != "":
		return []string{c.user}
	case len(server.Users) > 0:
		return server.Users
	}
	return []string{c.address.String()}
}

// candidates returns the servers to try, the best first.
func (c *fetchAdd) candidates(ctx context.Context) ([]discover.Candidate, error) {
	if c.server != "" {
		return c.named()
	}
	opt, err := c.options()
	if err != nil {
		return nil, err
	}
	c.say("looking for the server of %s ...", c.address.Domain)
	found, err := c.find(ctx, c.address, opt)
	if err != nil {
		return nil, err
	}
	c.asked = *found
	list := found.POP3()
	if c.imap || len(list) == 0 {
		list = found.IMAP()
	}
	if len(list) == 0 {
		for _, s := range found.Steps {
			c.say("  %s: %s", s.Where, plainly(s.Problem))
		}
		return nil, failure("no server of %s was found, name it with --server pop3s://HOST", c.address.Domain)
	}
	return list, nil
}

// named returns the server of --server.
func (c *fetchAdd) named() ([]discover.Candidate, error) {
	server, err := config.ParseServer(c.server)
	if err != nil {
		return nil, usage("--server %w", err)
	}
	port, err := strconv.Atoi(server.Port)
	if err != nil {
		return nil, usage("--server %w", err)
	}
	found := discover.Candidate{
		Protocol: discover.POP3, Host: server.Host, Port: port, TLS: server.TLS, Users: []string{c.address.String(), c.address.Local},
	}
	if server.IMAP {
		found.Protocol = discover.IMAP
		if u, err := url.Parse(c.server); err == nil { // it was read before
			c.folder = strings.TrimSuffix(u.EscapedPath(), "/")
		}
	}
	discover.Known(&found, c.address)
	if server.User != "" {
		found.Users = []string{server.User}
	}
	return []discover.Candidate{found}, nil
}

// choose returns the first server that may be used and answers.
func (c *fetchAdd) choose(ctx context.Context) (*discover.Candidate, error) {
	all, err := c.candidates(ctx)
	if err != nil {
		return nil, err
	}
	c.seen = map[string]bool{}
	var problems []error
	for i := range all {
		server := &all[i]
		where := ""
		if server.Where != "" {
			where = " (" + string(server.Origin) + ": " + server.Where + ")"
		}
		c.say("found %s%s", server.URL(), where)
		if server.Enable != "" {
			c.say("the provider says that it must be turned on first: %s", server.Enable)
		}
		if c.dryRun {
			if server.Confirm != "" {
				c.say("it must be confirmed: %s", server.Confirm)
			}
			return server, nil
		}
		if err := c.confirm(server); err != nil {
			problems = append(problems, err)
			continue
		}
		report, err := c.look(ctx, server, "", "")
		switch {
		case err != nil:
			return nil, err
		case report.Ports[0].Usable():
			return server, nil
		}
		problem := report.Ports[0].Problem
		if problem == "" {
			problem = "the certificate cannot be trusted: " + report.Ports[0].TLS.Problem + "; postamt fetch probe shows it, --ca and --pin trust it"
		}
		problems = append(problems, failure("%s: %s", server.URL(), problem))
	}
	return nil, errors.Join(problems...)
}

// confirm asks a person about a server that nobody vouches for (RFC 6186 §6).
func (c *fetchAdd) confirm(server *discover.Candidate) error {
	if server.Confirm == "" {
		return nil
	}
	refused := failure("%s was not confirmed; if it is right, say --server %s", server.Host, server.URL())
	if yes, asked := c.seen[server.Host]; asked || c.yes {
		if yes {
			return nil
		}
		return refused
	}
	c.say("%s.", server.Confirm)
	yes, err := c.notes.Confirm("Is " + terminal.Printable(server.Host) + " the server of " + c.address.Domain + "?")
	if err != nil && !errors.Is(err, terminal.ErrNoTerminal) {
		return err
	}
	if c.seen[server.Host] = yes; !yes {
		return refused
	}
	return nil
}

// look looks at the port of a server, and signs in if there is a user.
func (c *fetchAdd) look(ctx context.Context, server *discover.Candidate, user, password string) (*probe.Report, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	pins, err := c.keys()
	if err != nil {
		return nil, err
	}
	security := "stls"
	if server.TLS {
		security = "tls"
	}
	report, err := probe.Run(ctx, probe.Options{
		Host: server.Host, Ports: []probe.PortOption{{Port: server.Port, IMAP: server.Protocol == discover.IMAP, Security: security}},
		User: user, Password: func(context.Context) (string, error) { return password, nil },
		RootCAs: roots, Pins: pins, DialContext: c.dial, Timeout: signInTimeout,
	})
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return report, err
}

// signIn tries the password with the names that the user may have there, and returns the right one and what is to be
// known about the server.
func (c *fetchAdd) signIn(ctx context.Context, server *discover.Candidate, password string) (user string, notes []string, err error) {
	for _, user := range c.users(server) {
		c.say("signing in at %s as %s ...", server.Host, user)
		if server.Protocol == discover.IMAP {
			err = c.signInIMAP(ctx, server, user, password)
			if err == nil {
				return user, nil, nil
			}
		} else {
			report, lookErr := c.look(ctx, server, user, password)
			if lookErr != nil {
				return "", nil, lookErr
			}
			m := report.Mailbox
			if m.SignedIn {
				c.say("signed in with %s: %s, %s", m.Mechanism, count(m.Messages, "message"), terminal.FormatOctets(m.Octets))
				if m.Problem != "" {
					notes = append(notes, "After sign-in: "+m.Problem+".")
				}
				return user, append(notes, mailboxNotes(report)...), nil
			}
			err = failure("%s", m.Problem)
			if refused, ok := errors.AsType[*pop3.Error](m.Err); !ok || pop3.IsTemporary(refused) {
				return "", nil, failure("cannot sign in at %s: %w", server.Host, err) // another name would not help
			}
		}
		c.say("  %v", err)
	}
	return "", nil, failure("cannot sign in at %s: %w; check the password, and whether the provider wants %s turned on or a password made for programs (app password)",
		server.Host, err, strings.ToUpper(string(server.Protocol)))
}

func (c *fetchAdd) signInIMAP(ctx context.Context, server *discover.Candidate, user, password string) error {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	opt := imapclient.Options{Addr: server.Address(), User: user, Password: password, Timeout: signInTimeout, PinsOnly: len(c.pins) > 0, DialContext: c.dial}
	if !server.TLS {
		opt.Security = imapclient.StartTLS
	}
	var err error
	if opt.RootCAs, err = c.roots(); err != nil {
		return err
	}
	if opt.Pins, err = c.keys(); err != nil {
		return err
	}
	client, err := imapclient.Dial(ctx, opt)
	if err != nil {
		return err
	}
	return client.Close()
}
