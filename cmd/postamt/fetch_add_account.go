package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/internal/office"
)

// accountHere takes the account here that has the name of the mailbox.
func (c *fetchAdd) accountHere(ctx context.Context) error {
	if _, err := os.Stat(c.loaded.Data); err == nil {
		v, err := office.OpenVault(ctx, &c.loaded.Config)
		if err != nil {
			return err
		}
		for _, name := range []string{c.address.String(), c.address.Local} {
			if found, err := v.Accounts.Get(ctx, name); err == nil && len(c.to) == 0 {
				c.to = []string{config.ToStore + ":" + found.Name}
			}
		}
		if err := v.Close(); err != nil {
			return err
		}
	}
	if len(c.to) == 0 {
		return usage("say where the mail goes: --to store:ACCOUNT (an account here) or --to maildir:~/Maildir")
	}
	return nil
}

// missingHere returns the accounts here that mail goes to and that are not there yet, as far as that can be seen.
func (c *fetchAdd) missingHere(ctx context.Context) []string {
	var names []string
	for _, to := range c.to {
		if d, err := config.ParseDestination(to); err == nil && d.Kind == config.ToStore {
			names = append(names, d.Name)
		}
	}
	if _, err := os.Stat(c.loaded.Data); len(names) == 0 || errors.Is(err, fs.ErrNotExist) {
		return names
	}
	v, err := office.OpenVault(ctx, &c.loaded.Config)
	if err != nil {
		return nil // whoever fetches may be another user, who can
	}
	defer func() { _ = v.Close() }()
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := v.Accounts.Lookup(ctx, name)
		return !errors.Is(err, account.ErrNotFound)
	})
}

// notTwice refuses a mailbox that is fetched already, unless a second name was given for it.
func (c *fetchAdd) notTwice(server *discover.Candidate) error {
	wanted, err := config.ParseServer(server.URL() + c.folder)
	if err != nil || c.twice {
		return nil
	}
	for i := range c.loaded.Fetch {
		have := c.loaded.Fetch[i].Server()
		if strings.EqualFold(have.Host, wanted.Host) && have.Port == wanted.Port && have.Folder == wanted.Folder && slices.Contains(c.users(server), have.User) {
			return usage("%s fetches the mailbox of %s at %s already; if it is to be fetched twice, say so with a --name for the second", c.loaded.Fetch[i].Name, have.User, have.Host)
		}
	}
	return nil
}
