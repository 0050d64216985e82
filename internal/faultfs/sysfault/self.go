package sysfault

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// Self runs the test program itself as planned, with env added to its environment, and returns the lines it printed. A
// last line that was cut off is left out. The TestMain of the package must know by env that it is the child.
func Self(t *testing.T, plan Plan, env ...string) (Result, []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	result, err := Run(ctx, plan, exe, nil, &os.ProcAttr{Env: append(os.Environ(), env...), Files: []*os.File{nil, out, out}})
	if err != nil {
		t.Fatalf("at %d: %v", plan.At, err)
	}
	said, err := io.ReadAll(io.NewSectionReader(out, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(said), "\n")
	return result, lines[:len(lines)-1]
}
