package testpeers

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var build struct {
	once sync.Once
	path string
	err  error
}

// Binary builds cmd/postamt once per test process, as it is released (static, without the race detector), and returns
// its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "postamt-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "postamt")
		cmd := exec.Command("go", "build", "-o", build.path, "github.com/postamt/postamt/cmd/postamt")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		build.err = cmd.Run()
	})
	if build.err != nil {
		t.Fatalf("build postamt: %v", build.err)
	}
	return build.path
}

// removeBinary removes what Binary built. TestMain calls it.
func removeBinary() {
	if build.path != "" {
		os.RemoveAll(filepath.Dir(build.path))
	}
}
