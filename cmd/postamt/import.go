package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/mailfile"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newImport(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Take mail over from an mbox, a Maildir or .eml files",
		Long: `Import puts the messages of a file or folder into a maildrop. It is safe to run again, after an interruption or when
more mail has come: what is there already is not taken twice. The source is not changed. What is damaged is named and left
out, and the exit status is 1 then.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, f := range []struct {
		format mailfile.Format
		short  string
	}{
		{mailfile.Mbox, "from one file with many messages (mboxrd, mboxo, mboxcl, mboxcl2)"},
		{mailfile.Maildir, "from a folder with cur and new"},
		{mailfile.EML, "from one .eml file, or all in a folder and below"},
	} {
		cmd.AddCommand(newImportFrom(a, f.format, f.short))
	}
	return cmd
}

func newImportFrom(a *app, format mailfile.Format, short string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     string(format) + " PATH USER",
		Short:   "Take mail over " + short,
		Example: fmt.Sprintf("  postamt import %s /var/mail/bob bob", format),
		Args:    exactly("PATH", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			source, err := mailfile.Open(format, args[0])
			if err != nil {
				return err
			}
			defer func() { _ = source.Close() }()
			return a.withVault(ctx, func(v *office.Vault) error {
				found, err := v.Accounts.Lookup(ctx, args[1])
				if err != nil {
					return named(args[1], err)
				}
				to := mailstore.Recipient{Drop: mailstore.DropID(found.ID), Address: found.Name}
				im := &importer{app: a, in: intake{store: v.Store, to: to}}
				return im.run(ctx, source, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

// An importer takes one source over.
type importer struct {
	app     *app
	in      intake
	keys    mailfile.Keyer
	damaged int
}

type importSummary struct {
	New     int   `json:"new"`
	There   int   `json:"already_there"`
	Damaged int   `json:"damaged"`
	Octets  int64 `json:"octets"` // of the new ones
}

func (im *importer) run(ctx context.Context, source *mailfile.Source, asJSON bool) error {
	if asJSON {
		im.app.notes.Quiet()
	}
	bar := im.app.notes.Progress("importing", source.Octets(), terminal.Octets)
	stopped := im.messages(ctx, source, bar)
	if err := im.in.close(ctx); err != nil { // what came before
		stopped = err
	}
	bar.Set(im.in.done)
	bar.Done()
	if err := im.summary(asJSON); err != nil {
		return err
	}
	switch {
	case errors.Is(stopped, context.Canceled):
		return failure("interrupted; run it again to go on, nothing is taken twice")
	case stopped != nil:
		return fmt.Errorf("the import stopped, run it again to go on: %w", stopped)
	case im.damaged > 0:
		return failure("%s could not be taken over", count(im.damaged, "message"))
	}
	return nil
}

// messages takes in all messages of the source and leaves out those that are damaged.
func (im *importer) messages(ctx context.Context, source *mailfile.Source, bar *terminal.Progress) error {
	for m, err := range source.Messages(ctx) {
		if err == nil {
			err = im.message(ctx, m)
		}
		if damage, ok := errors.AsType[*mailfile.DamageError](err); ok {
			im.damaged++
			im.in.pass(m.Octets)
			_, _ = fmt.Fprintf(im.app.errs, "postamt: left out: %s\n", terminal.Printable(plainly(damage.Error())))
		} else if err != nil {
			return err
		}
		bar.Set(im.in.done)
	}
	return nil
}

// message takes in one message.
func (im *importer) message(ctx context.Context, m mailfile.Message) (err error) {
	key, _, err := im.keys.Key(m)
	if err != nil {
		return err
	}
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return im.in.add(ctx, mailstore.Envelope{Sender: m.Sender, Received: m.Received, Key: key}, r, m.Octets)
}

func (im *importer) summary(asJSON bool) error {
	sum := importSummary{New: im.in.stored, There: im.in.there, Damaged: im.damaged, Octets: im.in.octets}
	if asJSON {
		return im.app.printJSON(sum)
	}
	return im.app.table(terminal.Table{
		Header: []string{"", "messages", "size"},
		Right:  []int{1, 2},
		Rows: [][]string{
			{"new", strconv.Itoa(sum.New), terminal.FormatOctets(sum.Octets)},
			{"already there", strconv.Itoa(sum.There)},
			{"damaged", strconv.Itoa(sum.Damaged)},
		},
	})
}
