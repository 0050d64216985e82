//go:build race

package sinktest

// underRace says that the race detector is on, which makes processes slow.
const underRace = true
