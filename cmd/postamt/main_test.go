package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postamt/postamt/internal/faultfs/sysfault"
)

// TestMain lets this test binary stand in for postamt: scripts and tests that start the program get it from $PATH, and it
// runs the same run as the real one.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"postamt": func() {
			if os.Getenv(tracedEnv) != "" {
				sysfault.Tell(sysfault.MarkBegin)
			}
			os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}
