package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect/secret"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/internal/terminal"
)

type addFlags struct {
	trustFlags
	name, server, user, password, oauth         string
	to                                          []string
	stdin, keyring, keep, imap                  bool
	ispdb, plainHTTP, noMX, yes, dryRun, asJSON bool
}

func newFetchAdd(a *app) *cobra.Command {
	add := &fetchAdd{app: a, find: discover.Find}
	cmd := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Add an account elsewhere: finds its server, tries the password, writes the configuration",
		Long: `Add finds the mailbox server of an address, asks for the password, signs in to try it, looks at what the server can do, and
adds a [[fetch]] to the configuration file. Everything else in the file stays as it is. The password goes into a file of its
own, which nobody else may read, in the folder secrets beside the configuration; or into the keyring (--keyring); or it stays
where --password says it is.

The server is looked for in this order: what is built in about Gmail, Outlook and Yahoo; the provider's autoconfig document
(by https); Mozilla's database, only with --ispdb, since that learns the domain; SRV records; the same for whoever runs the
mail of the domain (MX); pop., pop3., mail. and the domain itself. A server whose name is not within the domain of the
address, and for which only DNS or a third party speaks, is used only if you confirm it; with --yes, name it with --server.
The certificate is always verified.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong command line.`,
		Example: `  postamt fetch add bob@example.net --to store:bob
  postamt fetch add bob@example.net --to maildir:~/Maildir --password "command:pass show mail/isp" --yes
  postamt fetch add bob@example.net --server pop3s://pop.example.net --to store:bob --dry-run`,
		Args: exactly("EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, group := range [][]string{{"password", "password-stdin", "oauth"}, {"password", "keyring", "oauth"}, {"ca", "pin"}} {
				if err := atMostOne(cmd, group...); err != nil {
					return err
				}
			}
			return add.run(cmd.Context(), args[0])
		},
	}
	f := &add.addFlags
	f.flags(cmd)
	cmd.Flags().StringVar(&f.name, "name", "", "`name` of the account (default: the domain)")
	cmd.Flags().StringArrayVar(&f.to, "to", nil, "`destination`, as in the configuration; may be given again (default: the account here of that name)")
	cmd.Flags().StringVar(&f.server, "server", "", "`URL` of the server, pop3s://HOST, pop3://, imaps:// or imap://; then none is looked for")
	cmd.Flags().StringVar(&f.user, "user", "", "`user` to sign in as (default: what the provider says, else the address, else what is before the @)")
	cmd.Flags().StringVar(&f.password, "password", "", "`source` of the password, as in the configuration; then nothing is stored")
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input, one line, and store it")
	cmd.Flags().BoolVar(&f.keyring, "keyring", false, "store the password in the keyring of the desktop")
	cmd.Flags().StringVar(&f.oauth, "oauth", "", "`name` of an [[oauth]] that takes the place of a password")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "leave mail on the server (keep = true)")
	cmd.Flags().BoolVar(&f.imap, "imap", false, "use IMAP")
	cmd.Flags().BoolVar(&f.ispdb, "ispdb", false, "ask Mozilla's database of providers, too; it learns the domain")
	cmd.Flags().BoolVar(&f.plainHTTP, "plain-http", false, "ask the provider by http, too; what comes from there must be confirmed")
	cmd.Flags().BoolVar(&f.noMX, "no-mx", false, "do not ask whoever runs the mail of the domain")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "write without asking")
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "print what would be written; ask for nothing, sign in nowhere")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// atMostOne refuses a command line with more than one of some flags.
func atMostOne(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usage("%s: give only one of %s", cmd.CommandPath(), strings.Join(given, " and "))
	}
	return nil
}

// A fetchAdd is one run of the command.
type fetchAdd struct {
	*app
	addFlags
	find func(context.Context, discover.Address, discover.Options) (*discover.Result, error)

	// The network; nil is that of the machine.
	resolver discover.Resolver
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)

	address discover.Address
	path    string // of the configuration, as it was named
	loaded  *config.Loaded
	folder  string          // of --server, with the slash before it
	seen    map[string]bool // hosts that were confirmed, or not
	asked   discover.Result
	twice   bool     // --name was given: a mailbox may be fetched a second time
	missing []string // accounts here that mail goes to and that are not there yet
}

// An addResult is what came of it, as JSON.
type addResult struct {
	Name    string              `json:"name"`
	Config  string              `json:"config"`
	Written bool                `json:"written"`
	Server  *discover.Candidate `json:"server"`
	User    string              `json:"user"`
	// Password is the source of it, never the password.
	Password string          `json:"password,omitempty"`
	OAuth    string          `json:"oauth,omitempty"`
	Steps    []discover.Step `json:"steps,omitempty"`
	Text     string          `json:"text"`
	Next     []string        `json:"next"`
}

func (c *fetchAdd) run(ctx context.Context, email string) (err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	if c.address, err = discover.ParseAddress(email); err != nil {
		return usage("%w", err)
	}
	if c.asJSON && !c.yes && !c.dryRun {
		return usage("--json asks nothing: say --yes or --dry-run, too")
	}
	if err := c.open(); err != nil {
		return err
	}
	if err := c.choices(ctx); err != nil {
		return err
	}
	server, err := c.choose(ctx)
	if err != nil {
		return err
	}
	if err := c.notTwice(server); err != nil {
		return err
	}
	if err := c.wantsOAuth(server); err != nil {
		return err
	}
	password, err := c.getPassword(ctx, server)
	if err != nil {
		return err
	}
	user, notes := c.userOf(server), []string(nil)
	if password != "" {
		if user, notes, err = c.signIn(ctx, server, password); err != nil {
			return err
		}
	}
	return c.write(ctx, server, user, password, notes)
}

// open reads the configuration, or takes a new one where there is none.
func (c *fetchAdd) open() error {
	c.path = c.configPath
	if c.path == "" {
		c.path = os.Getenv("POSTAMT_CONFIG")
	}
	if c.path != "" {
		if _, err := os.Lstat(c.path); errors.Is(err, fs.ErrNotExist) {
			fresh, err := config.Parse(c.path, nil)
			if err != nil {
				return err
			}
			c.loaded = fresh
			return fresh.Resolve(filepath.Dir(c.path))
		}
	}
	loaded, err := c.load()
	if err != nil {
		return err
	}
	if c.loaded = loaded; c.path == "" {
		if c.path = loaded.Path; c.path == "" {
			c.path = "postamt.toml"
		}
	}
	return nil
}

// choices settles name and destination, and refuses what could not be written, before anybody is asked anything.
func (c *fetchAdd) choices(ctx context.Context) error {
	taken := func(name string) bool {
		return slices.ContainsFunc(c.loaded.Fetch, func(f config.Fetch) bool { return strings.EqualFold(f.Name, name) })
	}
	if c.twice = c.name != ""; !c.twice {
		c.name = fetchName(c.address.Domain)
		if taken(c.name) {
			c.name = fetchName(c.address.Local + "-" + c.address.Domain)
		}
		for n, base := 2, c.name; taken(c.name); n++ {
			c.name = fmt.Sprintf("%.60s-%d", base, n)
		}
	} else if taken(c.name) {
		return usage("the name %.64q is taken already, give another with --name", c.name)
	}
	if len(c.to) == 0 {
		if err := c.accountHere(ctx); err != nil {
			return err
		}
	} else {
		c.missing = c.missingHere(ctx)
	}
	if c.oauth != "" && !slices.ContainsFunc(c.loaded.OAuth, func(o config.OAuth) bool { return o.Name == c.oauth }) {
		return usage("there is no [[oauth]] with the name %.64q in %s, add it first: see docs/oauth.md", c.oauth, c.path)
	}
	if c.password != "" {
		if _, err := secret.Parse(c.password, secret.Options{Host: "h", User: "u"}); err != nil {
			return usage("--password: %w", err)
		}
	}
	if c.server != "" {
		switch _, err := config.ParseServer(c.server); {
		case errors.Is(err, config.ErrPasswordInURL):
			return usage("--server has a password in it, which others can see in the list of processes: leave it out; it is asked for, or --password SOURCE says where it is")
		case err != nil:
			return usage("--server %w", err)
		}
	}
	if _, err := c.roots(); err != nil {
		return err
	}
	if _, err := c.keys(); err != nil {
		return err
	}
	trial := discover.Candidate{Protocol: discover.POP3, Host: "pop.example.net", Port: 995, TLS: true}
	_, err := config.PlanFetch(c.path, c.section(&trial, "user", nil))
	// The file was read before, so it is what was to be added; or there is none, and it cannot be made.
	if wrong, ok := errors.AsType[*config.Error](err); ok && wrong.Problems[0].Key != "" {
		return usage("cannot add this: %s: %s", wrong.Problems[0].Key, wrong.Problems[0].Text)
	}
	return err
}

func (c *fetchAdd) options() (discover.Options, error) {
	roots, err := c.roots()
	opt := discover.Options{
		Resolver: c.resolver, DialContext: c.dial, RootCAs: roots, Proxy: http.ProxyFromEnvironment, PlainHTTP: c.plainHTTP, NoMX: c.noMX,
	}
	if c.ispdb {
		opt.ISPDB = discover.MozillaISPDB
	}
	return opt, err
}

// wantsOAuth says what to do for a provider that takes no passwords.
func (c *fetchAdd) wantsOAuth(server *discover.Candidate) error {
	if c.oauth != "" || !server.OAuth {
		return nil
	}
	provider := ""
	if server.Provider != "" {
		provider = fmt.Sprintf(" with provider = %q", server.Provider)
	}
	how := fmt.Sprintf("put an [[oauth]]%s into %s, run this again with --oauth and its name, then postamt fetch login %s (docs/oauth.md)", provider, c.path, c.name)
	if server.OAuthOnly() {
		return failure("%s takes no passwords, only OAuth: %s", server.Host, how)
	}
	c.say("%s wants OAuth, or a password made for one program (app password), not the usual one. For OAuth: %s.", server.Host, how)
	return nil
}

// say tells a person something; standard output is for the result.
func (c *fetchAdd) say(format string, args ...any) {
	if !c.asJSON {
		_, _ = fmt.Fprintf(c.errs, "%s\n", terminal.Printable(fmt.Sprintf(format, args...)))
	}
}

// getPassword returns the password, or nothing if none is to be tried.
func (c *fetchAdd) getPassword(ctx context.Context, server *discover.Candidate) (string, error) {
	switch {
	case c.dryRun || c.oauth != "":
		return "", nil
	case c.stdin:
		return terminal.PasswordFrom(c.in)
	case c.password != "":
		source, err := secret.Parse(c.password, secret.Options{Host: server.Host, User: c.userOf(server), Prompt: c.askPassword})
		if err != nil {
			return "", usage("--password: %w", err)
		}
		return source.Get(ctx)
	}
	password, err := c.notes.Password(fmt.Sprintf("Password of %s at %s: ", terminal.Printable(c.userOf(server)), server.Host))
	if errors.Is(err, terminal.ErrNoTerminal) {
		return "", failure("there is no terminal to ask on: pipe the password in with --password-stdin, or name its source with --password")
	}
	if err == nil && password == "" {
		err = errors.New("an empty password cannot be used")
	}
	return password, err
}
