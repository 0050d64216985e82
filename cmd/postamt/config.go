package main

import (
	"encoding/json"
	"errors"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
)

func newConfig(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check and explain the configuration",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow(a), newConfigCheck(a), newConfigDoc(a))
	return cmd
}

func newConfigShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting in force, as a configuration file",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := a.load()
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(keys(reflect.ValueOf(l.Config)))
			}
			from := "# from " + l.Path
			if l.Path == "" {
				from = "# built-in defaults: there is no configuration file"
			}
			if err := a.print("%s\n", from); err != nil {
				return err
			}
			return l.Show(a.out)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newConfigCheck(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong in the configuration file, with line and mend",
		Long:  "Check reads the configuration and the files it names. Exit status: 0 it can be used, 1 it cannot.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return a.configCheckJSON()
			}
			l, err := a.load()
			if err != nil {
				return err
			}
			if wrong := office.CheckCertificates(l); len(wrong) > 0 {
				return &config.Error{Problems: wrong}
			}
			if l.Path == "" {
				return a.print("there is no configuration file; the defaults can be used\n")
			}
			return a.print("%s can be used\n", l.Path)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newConfigDoc(a *app) *cobra.Command {
	var asTOML bool
	cmd := &cobra.Command{
		Use:   "doc",
		Short: "Explain every setting",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asTOML {
				return a.print("%s", config.DocTOML())
			}
			return a.print("%s", config.DocMarkdown())
		},
	}
	cmd.Flags().BoolVar(&asTOML, "toml", false, "print a configuration file with everything in it, commented out")
	return cmd
}

// configCheckJSON is config check for programs: the problems on standard output.
func (a *app) configCheckJSON() error {
	type problem struct {
		File string `json:"file,omitempty"`
		Line int    `json:"line,omitempty"`
		Key  string `json:"key,omitempty"`
		Text string `json:"text"`
	}
	result := struct {
		File     string    `json:"file,omitempty"`
		OK       bool      `json:"ok"`
		Errors   []problem `json:"errors"`
		Warnings []problem `json:"warnings"`
	}{Errors: []problem{}, Warnings: []problem{}}
	l, err := config.Load(a.configPath)
	if err == nil {
		if wrong := office.CheckCertificates(l); len(wrong) > 0 {
			err = &config.Error{Problems: wrong}
		}
	}
	wrong, isProblems := errors.AsType[*config.Error](err)
	switch {
	case err == nil:
		result.OK, result.File = true, l.Path
		for _, w := range l.Warnings {
			result.Warnings = append(result.Warnings, problem(w))
		}
	case isProblems:
		for _, w := range wrong.Problems {
			result.Errors = append(result.Errors, problem(w))
		}
	default:
		result.Errors = append(result.Errors, problem{Text: err.Error()})
	}
	if err := a.printJSON(result); err != nil {
		return err
	}
	if !result.OK {
		return errShown
	}
	return nil
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return failure("standard output cannot be written: %w", err)
	}
	return nil
}
