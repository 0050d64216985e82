package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/mailfile"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

func newExport(a *app) *cobra.Command {
	var format string
	var crlf, asJSON bool
	cmd := &cobra.Command{
		Use:   "export USER PATH",
		Short: "Write a maildrop's mail into a Maildir or an mbox",
		Long: `Export copies all messages of USER. The maildrop stays as it is, and may be in use meanwhile. A Maildir may be there
already: what it has is not written twice. A folder with other things in it is refused. An mbox must not be there; if PATH
is a folder, it becomes USER.mbox in it.`,
		Example: "  postamt export bob /tmp/bob\n  postamt export --format mbox bob /tmp/bob.mbox",
		Args:    exactly("USER", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != string(mailfile.Maildir) && format != string(mailfile.Mbox) {
				return usage("--format: %q is neither maildir nor mbox", format)
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return a.withVault(ctx, func(v *office.Vault) error {
				found, err := v.Accounts.Lookup(ctx, args[0])
				if err != nil {
					return named(args[0], err)
				}
				path := args[1]
				if fi, err := os.Stat(path); err == nil && fi.IsDir() && format == string(mailfile.Mbox) {
					path = filepath.Join(path, found.Name+".mbox")
				}
				drop, err := v.Store.Open(ctx, mailstore.DropID(found.ID), mailstore.View{Shared: true})
				if err != nil {
					return err
				}
				defer func() { _ = drop.Close() }()
				return a.export(ctx, drop, mailfile.Format(format), path, mailfile.WriterOptions{KeepCRLF: crlf}, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", string(mailfile.Maildir), "maildir or mbox")
	cmd.Flags().BoolVar(&crlf, "crlf", false, "keep CRLF as line ends (default: LF, as other programs on Unix expect)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

type exportSummary struct {
	Path    string `json:"path"`
	Written int    `json:"written"`
	There   int    `json:"already_there"`
	Failed  int    `json:"failed"`
	Octets  int64  `json:"octets"`
}

func (a *app) export(ctx context.Context, drop mailstore.Drop, format mailfile.Format, path string, opt mailfile.WriterOptions, asJSON bool) error {
	w, err := mailfile.Create(format, path, opt)
	if err != nil {
		return err
	}
	defer w.Abort()
	if asJSON {
		a.notes.Quiet()
	}
	bar := a.notes.Progress("exporting", drop.Octets(), terminal.Octets)
	sum := exportSummary{Path: path}
	for i := range drop.Len() {
		written, err := exportOne(ctx, drop, w, i)
		_, final := errors.AsType[*mailfile.FinalError](err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case final:
			return err
		case err != nil:
			sum.Failed++
			_, _ = fmt.Fprintf(a.errs, "postamt: left out: %s\n", terminal.Printable(plainly(err.Error())))
		case written:
			sum.Written++
			sum.Octets += drop.Size(i)
		default:
			sum.There++
		}
		bar.Add(drop.Size(i))
	}
	bar.Done()
	if err := w.Close(); err != nil {
		return err
	}
	if err := a.exportSummary(sum, asJSON); err != nil {
		return err
	}
	if sum.Failed > 0 {
		return failure("%s could not be exported", count(sum.Failed, "message"))
	}
	return nil
}

func exportOne(ctx context.Context, drop mailstore.Drop, w mailfile.Writer, i int) (written bool, err error) {
	info, err := drop.Info(ctx, i)
	if err != nil {
		return false, err
	}
	body, err := drop.Body(ctx, i)
	if errors.Is(err, mailstore.ErrGone) {
		return false, nil // deleted meanwhile by its owner
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, body.R.Close()) }()
	return w.Write(ctx, mailfile.Outgoing{
		UID: info.UID, Received: info.Received, Sender: info.Sender, Body: body.R, Size: body.Size,
	})
}

func (a *app) exportSummary(sum exportSummary, asJSON bool) error {
	if asJSON {
		return a.printJSON(sum)
	}
	err := a.table(terminal.Table{
		Header: []string{"", "messages", "size"},
		Right:  []int{1, 2},
		Rows: [][]string{
			{"written", strconv.Itoa(sum.Written), terminal.FormatOctets(sum.Octets)},
			{"already there", strconv.Itoa(sum.There)},
			{"failed", strconv.Itoa(sum.Failed)},
		},
	})
	if err != nil {
		return err
	}
	return a.print("%s\n", sum.Path)
}
