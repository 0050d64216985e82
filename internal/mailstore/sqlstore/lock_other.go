//go:build !linux

package sqlstore

import "os"

// Elsewhere than on Linux maildrops are locked inside the process only: good for development, and the reason why a
// server should not run there beside the tools that write.

func lockOctet(*os.File, int64) (bool, error) { return true, nil }

func unlockOctet(*os.File, int64) error { return nil }
