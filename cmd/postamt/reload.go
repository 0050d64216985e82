package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/control"
	"github.com/postamt/postamt/internal/office"
)

func newReload(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make the running daemon read its configuration and certificates anew",
		Long: `Reload tells the daemon to take over its changed configuration and certificates, as SIGHUP does, and says whether it
did. No session is dropped. If there is an error, everything stays as it was.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.load() // it must be right, and says where the daemon is
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			reply, err := control.Ask(ctx, office.ControlSocket(&l.Config), control.Request{Op: "reload"})
			switch {
			case errors.Is(err, control.ErrNotRunning):
				return failure("no daemon runs on the data folder %s; postamt serve starts one", l.Data)
			case errors.Is(err, fs.ErrPermission):
				return failure("the daemon belongs to another user, run this as that one: %w", err)
			case err != nil:
				return failure("the daemon cannot be asked: %w", err)
			case reply.Error != "":
				return failure("not reloaded, the old configuration stays in force:\n%s", reply.Error)
			}
			for _, note := range reply.Notes {
				_, _ = fmt.Fprintf(a.errs, "postamt: %s\n", note)
			}
			return a.print("reloaded\n")
		},
	}
}
