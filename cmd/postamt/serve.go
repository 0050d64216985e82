package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/systemd"
	"github.com/postamt/postamt/internal/telemetry"
)

func newServe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Serve takes mail in over LMTP and hands it out over POP3, until SIGTERM or SIGINT: sessions that are in a command
finish it then, deletions without QUIT are dropped. SIGHUP, or postamt reload, takes over a changed configuration.

It works without a configuration file: "postamt config show" says where it keeps its data and on which ports it listens.
The log goes to standard error. Under systemd it takes over the sockets named pop3, pop3s and lmtp, and tells when it is
ready.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

func (a *app) serve(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	// From the very start, so that an early SIGHUP does not end us.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	sockets, err := systemd.Sockets(os.Getenv, os.Getpid())
	if err != nil {
		return err
	}
	loaded, err := a.read()
	if err != nil {
		return err
	}
	log := telemetry.NewLog(a.errs, telemetry.LogOptions{
		Format: loaded.Log.Format, Level: loaded.Log.Level, Journal: isJournal(a.errs),
	})
	for _, w := range loaded.Warnings {
		log.Warn(w.String())
	}
	build := thisBuild()
	log.Info("postamt", "version", build.Version, "config", loaded.Path, "data", loaded.Data, "pid", os.Getpid())
	o, err := office.Open(ctx, &loaded.Config, office.Options{
		Log:      log.Logger,
		Load:     a.read, // one reload at a time
		SetLog:   func(c config.Log) { log.SetLevel(c.Level) },
		Sockets:  sockets,
		Notify:   systemd.NewNotifier(os.Getenv),
		Watchdog: systemd.WatchdogInterval(os.Getenv, os.Getpid()),
		Version:  build.Version,
		Revision: build.Revision,
	})
	switch {
	case ctx.Err() != nil && err != nil:
		return nil // asked to stop before it was open
	case err != nil:
		return err
	}
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		for {
			select {
			case <-hangup:
				_, _ = o.Reload(ctx) // the log says how it went
			case <-ctx.Done():
				return
			}
		}
	}()
	err = o.Run(ctx)
	stop()
	<-reloaded
	return err
}

func isJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && telemetry.Journal(os.Getenv, f)
}
