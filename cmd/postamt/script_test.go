package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the commands as people do. Each script has a folder of its own, and a configuration in $POSTAMT_CONFIG
// that keeps the data in it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			path := filepath.Join(env.WorkDir, "postamt.toml")
			env.Setenv("POSTAMT_CONFIG", path)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "UTC")
			return os.WriteFile(path, fmt.Appendf(nil, "data = %q\ndomains = [\"example.com\"]\n%s", filepath.Join(env.WorkDir, "data"), cheap), 0o600)
		},
	})
}
