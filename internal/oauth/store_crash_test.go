package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/faultfs/sysfault"
	"github.com/postamt/postamt/internal/oauth"
)

// storeFolder makes the test program the one that TestStoreCrash breaks: it stores three tokens, one after the other.
const storeFolder = "POSTAMT_OAUTH_STORE"

var stored = []string{"the first token", strings.Repeat("the second token, a long one ", 300), "the third token"}

func storeChild(dir string) {
	store := oauth.NewFileStore(dir, nil)
	sysfault.Tell(sysfault.MarkBegin)
	for i, text := range stored {
		if store.Save(context.Background(), "isp", []byte(text)) == nil {
			sysfault.Tell(sysfault.MarkDurable)
			fmt.Println("stored", i)
		}
	}
	sysfault.Tell(sysfault.MarkEnd)
	os.Exit(0)
}

// Every system call of storing is broken, one in each process: it is killed there, or in the middle of a write, or the call
// fails. What was said to be stored is there, or what came after it, and never something torn; and what is said to be
// stored was synced, with its folder. The race detector makes processes slow and finds nothing more here: then it is every
// thirteenth call.
func TestStoreCrash(t *testing.T) {
	t.Parallel()
	if err := sysfault.Supported(); err != nil {
		t.Skipf("skipped, nothing was crashed: %v", err)
	}
	stride := 1
	if underRace {
		stride = 13
	}
	run := func(t *testing.T, plan sysfault.Plan) (sysfault.Result, string, int) {
		t.Helper()
		parent, err := filepath.EvalSymlinks(t.TempDir())
		must(t, err)
		plan.Folder = parent
		dir := filepath.Join(parent, "fetch", "oauth")
		result, said := sysfault.Self(t, plan, storeFolder+"="+dir)
		last := -1
		for _, line := range said {
			if _, err := fmt.Sscanf(line, "stored %d", &last); err != nil {
				t.Errorf("at %d the process said %q", plan.At, line)
			}
		}
		return result, dir, last
	}
	t.Run("Durable", func(t *testing.T) {
		t.Parallel()
		result, _, last := run(t, sysfault.Plan{})
		if result.Exit != 0 || result.Marks != len(stored) || last != len(stored)-1 || len(result.Unsynced) > 0 {
			t.Errorf("exit status %d, %d stored, not synced: %q", result.Exit, result.Marks, result.Unsynced)
		}
	})
	for name, plan := range map[string]sysfault.Plan{
		"Kill": {}, "KillInWrite": {Torn: true}, "ENOSPC": {Errno: syscall.ENOSPC}, "ENOSPCStays": {Errno: syscall.ENOSPC, Stay: true}, "EIO": {Errno: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for plan.At = 1; ; plan.At += stride {
				result, dir, last := run(t, plan)
				if !result.Broken {
					break
				}
				n++
				text, err := oauth.NewFileStore(dir, nil).Load(t.Context(), "isp")
				switch {
				case errors.Is(err, oauth.ErrNoToken) && last < 0:
				case err != nil || !slices.Contains(stored[max(last, 0):], string(text)):
					t.Errorf("broken at %d, %s, after token %d: Load = %.30q, %v", plan.At, result.Calls[plan.At-1], last, text, err)
				}
				must(t, oauth.NewFileStore(dir, nil).Save(t.Context(), "isp", []byte("one more")))
			}
			t.Logf("%s: broke one system call in %d processes", name, n)
			if n*stride < 3 {
				t.Errorf("only %d system calls to break: this test proves little", n)
			}
		})
	}
}
