package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/movein"
	"github.com/postamt/postamt/internal/office"
)

type importState struct {
	from, mailbox string
	leave, follow bool
}

func newFetchImportState(a *app) *cobra.Command {
	var f importState
	cmd := &cobra.Command{
		Use:   "import-state NAME FILE",
		Short: "Take over what another collector has fetched",
		Long: `Import-state reads the file in which another collector remembers what it has fetched, so that nothing of it is fetched again:

  fetchmail     ~/.fetchids
  getmail       ~/.config/getmail/oldmail-SERVER-PORT-USER or ~/.getmail/oldmail-...
  mpop          ~/.mpop_uidls/USER_at_HOST
  fdm           the cache of new-only in ~/.fdm.conf
  Thunderbird   popstate.dat in the folder of the account, below Mail in the profile

NAME is the [[fetch]] that takes its place. It can be told again, and after the first run: what is known already stays as it
is. Stop the other collector first.

If the rules of NAME delete mail at once, they would delete all that the other collector has left on the server: say with
--leave that this stays there, or with --by-the-rules that it may go.`,
		Example: `  postamt fetch import-state isp ~/.fetchids --leave
  postamt fetch isp --dry-run`,
		Args: exactly("NAME", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importState(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "whose `program` it is: fetchmail, getmail, mpop, fdm or thunderbird (default: found out)")
	cmd.Flags().StringVar(&f.mailbox, "mailbox", "", "which mailbox of the file it is, as `USER@HOST`, if it is called otherwise there")
	cmd.Flags().BoolVar(&f.leave, "leave", false, "leave these messages on the server for good")
	cmd.Flags().BoolVar(&f.follow, "by-the-rules", false, "let the rules of NAME delete them on the server")
	cmd.MarkFlagsMutuallyExclusive("leave", "by-the-rules")
	return cmd
}

func (a *app) importState(ctx context.Context, name, path string, f importState) (err error) {
	if f.from != "" && !slices.Contains(movein.Programs, movein.Program(f.from)) {
		return usage("--from: %q is not one of %v", f.from, movein.Programs)
	}
	boxes, err := readState(path, movein.Program(f.from))
	if err != nil {
		return err
	}
	v, loaded, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	i := slices.IndexFunc(loaded.Config.Fetch, func(f config.Fetch) bool { return f.Name == name })
	if i < 0 {
		return usage("there is no [[fetch]] with the name %q", name)
	}
	account := &loaded.Config.Fetch[i]
	box, err := chooseMailbox(boxes, account, f.mailbox)
	if err != nil {
		return err
	}
	if len(box.Known) == 0 {
		return a.print("there is no message of %s in %s, nothing was taken over\n", name, path)
	}
	if !account.Keep && account.DeleteAfter == 0 && !f.leave && !f.follow {
		return usage("%s deletes mail on the server at once, also the %s that the other collector left there: say --leave or --by-the-rules",
			name, count(len(box.Known), "message"))
	}
	known := make([]collect.Adopted, len(box.Known))
	for i, k := range box.Known {
		known[i] = collect.Adopted(k)
	}
	c, err := office.OpenCollector(ctx, &loaded.Config, v, office.CollectorOptions{Names: []string{name}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	n, err := c.Adopt(ctx, name, known, f.leave)
	if err != nil {
		return failure("what was fetched of %s cannot be taken over: %w", name, err)
	}
	return a.print("%s of %s taken over, %d known already; see what is left with: postamt fetch %s --dry-run\n",
		count(n, "message"), name, len(known)-n, name)
}

func readState(path string, p movein.Program) (boxes []movein.Mailbox, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, failure("the other collector's file cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }()
	boxes, err = movein.ReadState(p, filepath.Base(path), file)
	if errors.Is(err, movein.ErrUnknownProgram) {
		return nil, usage("%s: %w with --from", path, err)
	}
	if err != nil {
		return nil, failure("%s: %w", path, err)
	}
	return boxes, nil
}

// chooseMailbox finds the mailbox that an account takes the place of.
func chooseMailbox(boxes []movein.Mailbox, f *config.Fetch, named string) (movein.Mailbox, error) {
	server := f.Server()
	want := named
	if want == "" {
		want = server.User + "@" + server.Host
	}
	var there []string
	for _, b := range boxes {
		if b.Host == "" && b.User == "" && named == "" || strings.EqualFold(b.User+"@"+b.Host, want) {
			return b, nil
		}
		if b.Host == "" && b.User == "" {
			return movein.Mailbox{}, usage("the file does not say whose it is: leave --mailbox out if it is that of %s", want)
		}
		there = append(there, b.User+"@"+b.Host)
	}
	if len(there) == 0 {
		return movein.Mailbox{}, nil
	}
	if most := 10; len(there) > most {
		there = append(there[:most], fmt.Sprintf("%d others", len(there)-most))
	}
	return movein.Mailbox{}, usage("the file has nothing of %s, but of %s: name one of them with --mailbox", want, strings.Join(there, ", "))
}
