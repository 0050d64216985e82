package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
			if err := writeMan(root, args[0]); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return a.print("man pages written to %s\n", args[0])
		},
	}
}

// plainFlags takes the values off that flags have when they are not given: they say nothing, or the text says it.
var plainFlags = strings.NewReplacer(`\fP[=false]`, `\fP`, `\fP=""`, `\fP`, `\fP=[]`, `\fP`)

// writeMan writes the pages of a command and of those below it.
func writeMan(cmd *cobra.Command, dir string) error {
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writeMan(c, dir); err != nil {
			return err
		}
	}
	// What is indented is Markdown for something that stays as it is with four blanks only.
	cmd.Long = strings.ReplaceAll(cmd.Long, "\n  ", "\n    ")
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Source: "Postamt", Manual: "Postamt"}, &page); err != nil {
		return err
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	return os.WriteFile(filepath.Join(dir, name), []byte(plainFlags.Replace(page.String())), 0o644)
}
