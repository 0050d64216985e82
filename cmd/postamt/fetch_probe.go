package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect/secret"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/pop3/pop3client"
)

// trustFlags say who may vouch for a server that is not configured yet.
type trustFlags struct {
	ca   string
	pins []string
}

func (f *trustFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ca, "ca", "", "`file` of certificates (PEM) of authorities to trust in place of the system's")
	cmd.Flags().StringArrayVar(&f.pins, "pin", nil, "`key` that the server may have, as \"sha256/...\", in place of a certificate from an authority")
}

func (f *trustFlags) roots() (*x509.CertPool, error) {
	if f.ca == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, failure("%s (--ca) has no certificate in it, it must be PEM", f.ca)
	}
	return pool, nil
}

func (f *trustFlags) keys() ([]pop3client.Pin, error) {
	var pins []pop3client.Pin
	for _, text := range f.pins {
		pin, err := pop3client.ParsePin(text)
		if err != nil {
			return nil, usage("--pin %.80q is not a pin, it is \"sha256/\" and the base64 of 32 octets", text)
		}
		pins = append(pins, pin)
	}
	return pins, nil
}

type probeFlags struct {
	trustFlags
	user, password           string
	imap, mechanisms, asJSON bool
	timeout                  time.Duration
}

// maxProbe is the longest time that a probe may take.
const maxProbe = 10 * time.Minute

func newFetchProbe(a *app) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe HOST[:PORT]|URL",
		Short: "Show what a mailbox server can do, its certificate and its quirks",
		Long: `Probe connects to a POP3 server and shows what it can do: its ports, TLS and certificate, the key for pins, capabilities,
ways to sign in, whether sending commands together works, and what is unusual about it; at the end, a [[fetch]] for it.

With --user it signs in, too, over TLS with a verified certificate only, and looks at UIDL, TOP, sizes, LOGIN-DELAY and
EXPIRE. It deletes nothing, and marks nothing as read.

A HOST alone means the ports 995 and 110. A URL (pop3s://, pop3://, imaps://, imap://) means that port. Of IMAP servers it
shows TLS and capabilities.

Exit status: 0 mail can be fetched from there, 1 it cannot (the output says why), 2 wrong command line.`,
		Example: "  postamt fetch probe pop.example.net\n  postamt fetch probe pop3s://pop.example.net --user bob --password file:secret",
		Args:    exactly("HOST[:PORT]|URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.user == "" && cmd.Flags().Changed("password") {
				return usage("--password is for signing in, say with --user as whom, too")
			}
			return a.fetchProbe(cmd.Context(), args[0], f)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.user, "user", "", "sign in as this `user`")
	cmd.Flags().StringVar(&f.password, "password", "prompt", "`source` of the password, as in the configuration: prompt, file:PATH, command:PROGRAM, ...")
	cmd.Flags().BoolVar(&f.imap, "imap", false, "look at the ports 993 and 143, too")
	cmd.Flags().BoolVar(&f.mechanisms, "mechanisms", false, "begin to sign in with the mechanisms that are announced, to see whether they are there; servers count that as failed")
	cmd.Flags().DurationVar(&f.timeout, "timeout", probe.Timeout, "how long it may take in all")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// probeTarget reads HOST, HOST:PORT or a URL.
func probeTarget(arg string, imap bool) (opt probe.Options, err error) {
	bad := func() (probe.Options, error) {
		return opt, usage("%.80q is not a server, write HOST, HOST:PORT or pop3s://HOST", arg)
	}
	if strings.Contains(arg, "://") {
		server, err := config.ParseServer(arg)
		switch {
		case errors.Is(err, config.ErrPasswordInURL):
			return opt, usage("the URL has a password in it, which others can see in the list of processes: leave it out; --user and --password SOURCE sign in")
		case err != nil:
			return opt, usage("%w", err)
		}
		port, _ := strconv.Atoi(server.Port) // it was checked
		security := "stls"
		if server.TLS {
			security = "tls"
		}
		opt.Host, opt.User = server.Host, server.User
		opt.Ports = []probe.PortOption{{Port: port, IMAP: server.IMAP, Security: security}}
		return opt, nil
	}
	host, port, err := net.SplitHostPort(arg)
	if err != nil { // no port
		if strings.HasPrefix(arg, "[") != strings.HasSuffix(arg, "]") {
			return bad()
		}
		host, port = strings.Trim(arg, "[]"), ""
	}
	bracketed := host
	if strings.Contains(host, ":") {
		bracketed = "[" + host + "]"
	}
	if _, err := config.ParseServer("pop3s://" + bracketed); err != nil || strings.ContainsAny(host, "@/") {
		return bad()
	}
	opt.Host, opt.Ports = host, probe.Usual(imap)
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return bad()
		}
		opt.Ports = []probe.PortOption{{Port: int(n), IMAP: n == 993 || n == 143}}
	}
	return opt, nil
}

func (a *app) fetchProbe(ctx context.Context, arg string, f probeFlags) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	opt, err := probeTarget(arg, f.imap)
	if err != nil {
		return err
	}
	if f.timeout <= 0 || f.timeout > maxProbe {
		return usage("--timeout must be more than nothing and at most %v", maxProbe)
	}
	opt.Timeout = f.timeout
	if opt.RootCAs, err = f.roots(); err != nil {
		return err
	}
	if opt.Pins, err = f.keys(); err != nil {
		return err
	}
	opt.User = f.user // the one in a URL signs in only if --user says so, too
	if opt.User != "" {
		source, err := secret.Parse(f.password, secret.Options{Host: opt.Host, User: opt.User, Prompt: a.askPassword})
		if err != nil {
			return usage("--password: %w", err)
		}
		// Asked for before the time runs.
		password, err := source.Get(ctx)
		if err != nil {
			return err
		}
		opt.Password = func(context.Context) (string, error) { return password, nil }
	}
	report, err := probe.Run(ctx, opt)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	recommended := recommend(report, f.ca)
	if f.asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(struct {
			*probe.Report
			Recommended string `json:"recommended,omitempty"`
		}{report, recommended})
	} else {
		err = a.print("%s", probeText(report, recommended, a.term))
	}
	if err != nil {
		return failure("standard output cannot be written: %w", err)
	}
	return probeOutcome(report)
}

// probeOutcome ends the program with 1 if mail cannot be fetched from there.
func probeOutcome(r *probe.Report) error {
	if r.Mailbox != nil && !r.Mailbox.SignedIn {
		return errShown
	}
	for i := range r.Ports {
		if r.Ports[i].Usable() {
			return nil
		}
	}
	return errShown
}
