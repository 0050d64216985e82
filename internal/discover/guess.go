package discover

import (
	"context"
	"sync"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// GuessTimeout bounds trying one guess.
const GuessTimeout = 10 * time.Second

// guesses returns what is tried where nobody says anything: all with TLS from the first octet, then with STLS.
func guesses(a Address) []Candidate {
	var all []Candidate
	for _, tls := range []bool{true, false} {
		for _, prefix := range []string{"pop.", "pop3.", "mail.", ""} {
			c := Candidate{
				Protocol: POP3, Host: prefix + a.Domain, Port: 110, TLS: tls, Users: []string{a.String(), a.Local},
				Origin: FromGuess, Where: "a server with this name and a certificate for it answers",
			}
			if tls {
				c.Port = 995
			}
			all = append(all, c)
		}
	}
	return all
}

// guess connects to all guesses at once and returns those that answer with a certificate for their name.
func (f *finder) guess(ctx context.Context) []Candidate {
	all := guesses(f.address)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { errs[i] = f.try(ctx, &all[i]) })
	}
	wg.Wait()
	var found []Candidate
	for i, c := range all {
		step := Step{Origin: FromGuess, Where: c.URL()}
		if errs[i] == nil {
			step.Found = 1
			found = append(found, c)
		} else {
			step.Problem = plain(errs[i].Error())
		}
		f.steps = append(f.steps, step)
	}
	return found
}

// try connects, with a verified certificate, and sends nothing but QUIT.
func (f *finder) try(ctx context.Context, c *Candidate) error {
	ctx, cancel := context.WithTimeout(ctx, GuessTimeout)
	defer cancel()
	opt := &pop3client.Options{
		RootCAs: f.opt.RootCAs, DialContext: f.opt.DialContext, ConnectTimeout: GuessTimeout, Timeout: GuessTimeout, QuitTimeout: time.Second,
	}
	if !c.TLS {
		opt.Security = pop3client.STLS
	}
	client, err := pop3client.Dial(ctx, c.Address(), opt)
	if err != nil {
		return err
	}
	_, _ = client.Quit(ctx), client.Close() // it answered, that is enough
	return nil
}
