package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
)

// The exit statuses of deliver, from sysexits.h, as MTAs know them. Everything that may pass is exTempFail, so that the
// MTA keeps the message.
const (
	exUsage    = 64
	exDataErr  = 65
	exNoUser   = 67
	exTempFail = 75
)

func newDeliver(a *app) *cobra.Command {
	var sender string
	cmd := &cobra.Command{
		Use:   "deliver USER",
		Short: "Take in one message from standard input (for pipes, .forward, procmail)",
		Long: `Deliver puts the message on standard input into the maildrop of USER, which is a name or an address, and ends with 0
only when it is safe on disk. A first line that begins with "From ", as mbox has it and Postfix and procmail write it, is
not part of the message and is left out. Line ends may be LF or CRLF. It must run as the user to whom the data belongs; where
that cannot be, let the MTA hand mail in over LMTP.

Exit status, as in sysexits.h: 0 delivered, 64 wrong command line, 65 message too large (lmtp.max_message),
67 no such account, 75 not possible now, try again later (everything else).`,
		Example: "  \"|/usr/bin/postamt deliver bob\"                      in .forward\n" +
			"  pipe flags=q user=postamt argv=/usr/bin/postamt deliver -f ${sender} ${recipient}    in Postfix's master.cf",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := exactly("USER")(cmd, args); err != nil {
				return &exitError{exUsage, err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.deliver(cmd.Context(), args[0], sender)
			if err == nil {
				return nil
			}
			return &exitError{deliverStatus(err), err}
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{exUsage, fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	cmd.Flags().StringVarP(&sender, "from", "f", "", "envelope `sender` (default: the one in the \"From \" line, if there is one)")
	return cmd
}

var (
	errNoUser    = errors.New("no such account")
	errBadSender = errors.New("the envelope sender cannot be used")
)

// checkSender refuses what cannot be an address and would not be taken at the next try either.
func checkSender(s string) error {
	switch {
	case len(s) > mailstore.MaxAddress:
		return fmt.Errorf("%w: it has %d octets, more than %d", errBadSender, len(s), mailstore.MaxAddress)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %.80q is not UTF-8", errBadSender, s)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%w: %.80q has a control character", errBadSender, s)
	}
	return nil
}

func deliverStatus(err error) int {
	switch {
	case errors.Is(err, errBadSender):
		return exUsage
	case errors.Is(err, errNoUser):
		return exNoUser
	case errors.Is(err, mailstore.ErrTooLarge):
		return exDataErr
	}
	return exTempFail
}

func (a *app) deliver(ctx context.Context, user, sender string) (err error) {
	if err := checkSender(sender); err != nil {
		return err
	}
	v, loaded, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	to, err := v.Accounts.Recipient(ctx, user)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return fmt.Errorf("%w: %.300q", errNoUser, user)
	case err != nil:
		return err
	}
	in := bufio.NewReaderSize(a.in, 64<<10)
	named, err := skipFromLine(in)
	if err != nil {
		return fmt.Errorf("standard input cannot be read: %w", err)
	}
	if sender == "" && checkSender(named) == nil {
		sender = named
	}
	return store(ctx, v, in, mailstore.Envelope{Sender: sender}, mailstore.Recipient{Drop: mailstore.DropID(to.ID), Address: user},
		int64(loaded.LMTP.MaxMessage))
}

// store streams one message into the store.
func store(ctx context.Context, v *office.Vault, in io.Reader, env mailstore.Envelope, to mailstore.Recipient, limit int64) error {
	d, err := v.Store.Begin(ctx, env)
	if err != nil {
		return err
	}
	defer d.Abort()
	n, err := io.Copy(d, io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("the message cannot be taken in: %w", err)
	case n > limit:
		return fmt.Errorf("%w: more than %d octets (lmtp.max_message)", mailstore.ErrTooLarge, limit)
	}
	_, err = d.Commit(ctx, []mailstore.Recipient{to})
	return err
}

// maxFromLine bounds the line before the message; a longer one is content.
const maxFromLine = 2048

// skipFromLine takes an mbox "From " line off the front, if there is one, and returns the sender it names.
func skipFromLine(in *bufio.Reader) (sender string, err error) {
	start, err := in.Peek(len("From "))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(start) != "From " {
		return "", nil
	}
	line, err := in.Peek(maxFromLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		return "", nil
	}
	sender, _, _ = strings.Cut(strings.TrimSpace(string(line[len("From "):end])), " ")
	_, err = in.Discard(end + 1)
	if strings.EqualFold(sender, "MAILER-DAEMON") {
		sender = "" // how mbox writes the null sender
	}
	return sender, err
}
