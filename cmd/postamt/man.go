package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan writes the man pages from the same definitions as --help. It is for packagers, so help does not list it.
func newMan(a *app, root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write man pages into a folder",
		Hidden: true,
		Args:   exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			root.DisableAutoGenTag = true // so that the same program writes the same octets
			header := &doc.GenManHeader{Section: "1", Source: "Postamt", Manual: "Postamt"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return a.print("man pages written to %s\n", args[0])
		},
	}
}
