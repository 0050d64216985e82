package config

import "time"

// A Duration is a time.Duration written as "10m", "36h" or "14d".
type Duration time.Duration

// A Size is a number of octets written as "64KiB", "50MB" or a plain number.
type Size int64
