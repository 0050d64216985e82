package testpeers

import (
	"os"
	"os/exec"
	"testing"
)

// Need skips the test if one of the programs is missing, or fails it where peers are required.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Missing(t, p+" (a Debian package; .ci/run installs it)")
		}
	}
}

// Missing skips the test because of what is missing, or fails it where peers are required.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("POSTAMT_PEERS") == "required" {
		t.Fatalf("peer is missing and POSTAMT_PEERS=required: %s", what)
	}
	t.Skipf("peer is missing: %s", what)
}
