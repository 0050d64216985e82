package keyring

import "time"

// OpenFor is Open with another Timeout.
func OpenFor(timeout time.Duration) *Ring { return &Ring{timeout: timeout} }
