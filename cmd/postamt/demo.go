package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/demo"
)

func newDemo(a *app) *cobra.Command {
	var dir string
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it all on this machine: a post office with sample mail",
		Long: `Demo opens a post office on free loopback ports, makes two accounts, hands in mail of many kinds over LMTP, says how to
connect a mail program or curl, picks the mail up over POP3S and compares every octet. Then it goes on serving until
Ctrl-C. Everything lies in one temporary folder, which is removed at the end.

Exit status: 0 everything that was picked up matched, 1 it did not.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return demo.Run(ctx, demo.Options{
				Dir: dir, Once: once, Out: a.out, Terminal: a.term, Command: ownCommand(), Version: thisBuild().Version,
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "keep everything in this `folder` (default: a temporary one, removed at the end)")
	cmd.Flags().BoolVar(&once, "once", false, "end after the check")
	return cmd
}

// ownCommand returns how a person can run this program again.
func ownCommand() string {
	self, err := os.Executable()
	if err != nil || strings.Contains(self, "/go-build") {
		return "go run ./cmd/postamt"
	}
	return self
}
