package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/internal/keyring"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// passwordSource is what the configuration says.
func (c *fetchAdd) passwordSource() string {
	switch {
	case c.password != "":
		return c.password
	case c.keyring:
		return "keyring"
	}
	return "file:secrets/" + c.name + ".password"
}

// section returns the [[fetch]].
func (c *fetchAdd) section(server *discover.Candidate, user string, notes []string) string {
	comments := []string{"Mail of " + c.address.String() + "."}
	if server.Where != "" {
		comments = append(comments, fmt.Sprintf("Server found by %s: %s.", server.Origin, server.Where))
	}
	keys := []config.FetchKey{
		{Key: "name", Value: c.name},
		{Key: "url", Value: server.URL() + c.folder},
		{Key: "user", Value: user},
	}
	if c.oauth != "" {
		keys = append(keys, config.FetchKey{Key: "oauth", Value: c.oauth})
	} else {
		keys = append(keys, config.FetchKey{Key: "password", Value: c.passwordSource()})
	}
	keys = append(keys, config.FetchKey{Key: "to", Value: c.to})
	if c.ca != "" {
		ca := c.ca
		if abs, err := filepath.Abs(ca); err == nil {
			ca = abs
		}
		keys = append(keys, config.FetchKey{Key: "ca", Value: ca})
	}
	if len(c.pins) > 0 {
		keys = append(keys, config.FetchKey{Key: "trust", Value: "pins"}, config.FetchKey{Key: "pins", Value: c.pins})
	}
	keys = append(keys, config.FetchKey{Key: "keep", Value: true, Note: "leave mail on the server; without it, what was fetched is deleted there", Off: !c.keep})
	return config.FetchText(append(comments, notes...), keys)
}

// write shows what is to be added, and adds it.
func (c *fetchAdd) write(ctx context.Context, server *discover.Candidate, user, password string, notes []string) error {
	result := addResult{Name: c.name, Server: server, User: user, OAuth: c.oauth, Steps: c.asked.Steps, Text: c.section(server, user, notes)}
	if c.oauth == "" {
		result.Password = c.passwordSource()
	}
	plan, err := config.PlanFetch(c.path, result.Text)
	if err != nil {
		return err
	}
	result.Config = plan.Path
	if !c.asJSON {
		if err := c.print("%s", plan.Diff()); err != nil {
			return err
		}
	}
	if !c.dryRun && !c.yes {
		yes, err := c.notes.Confirm("Add this?")
		if errors.Is(err, terminal.ErrNoTerminal) {
			return usage("there is nobody to ask whether this is right: say --yes")
		}
		if err != nil || !yes {
			return errors.Join(err, failure("nothing was written"))
		}
	}
	if !c.dryRun {
		if err := c.commit(ctx, plan, server, user, password); err != nil {
			return err
		}
		result.Written = true
	}
	for _, name := range c.missing {
		result.Next = append(result.Next, "postamt account add "+name)
	}
	if c.oauth != "" {
		result.Next = append(result.Next, "postamt fetch login "+c.name)
	}
	result.Next = append(result.Next, "postamt fetch --dry-run "+c.name, "postamt fetch "+c.name)
	return c.report(result)
}

// commit stores the password and puts the file in place. The password goes first: an account without one would raise alarms.
func (c *fetchAdd) commit(ctx context.Context, plan *config.FetchAddition, server *discover.Candidate, user, password string) error {
	undo := func() error { return nil }
	switch {
	case c.oauth != "" || c.password != "":
	case c.keyring:
		f := config.Fetch{Name: c.name, URL: server.URL(), User: user, Password: "keyring"}
		places, err := office.FetchKeyring(&f, "password")
		if err != nil {
			return err
		}
		ring := keyring.Open()
		for _, p := range places {
			if err := ring.Set(ctx, p.Service, p.User, password); err != nil {
				return err
			}
		}
	default:
		file := filepath.Join(filepath.Dir(plan.Path), "secrets", c.name+".password")
		if err := config.WriteSecret(file, password); err != nil {
			return err
		}
		undo = func() error { return os.Remove(file) }
	}
	if err := plan.Write(); err != nil {
		return errors.Join(err, undo())
	}
	return nil
}

func (c *fetchAdd) report(r addResult) error {
	if c.asJSON {
		enc := json.NewEncoder(c.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return failure("standard output cannot be written: %w", err)
		}
		return nil
	}
	if !r.Written {
		return c.print("nothing was written\n")
	}
	text := fmt.Sprintf("%s is added to %s\n", r.Name, r.Config)
	if file, ok := strings.CutPrefix(r.Password, "file:"); ok && c.password == "" {
		text += fmt.Sprintf("the password is in %s; the user who fetches must be able to read it\n", filepath.Join(filepath.Dir(r.Config), file))
	}
	return c.print("%snext: %s; a daemon that runs takes it over with postamt reload\n", text, strings.Join(r.Next, "; then "))
}
