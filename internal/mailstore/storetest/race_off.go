//go:build !race

package storetest

// underRace says that the race detector is on.
const underRace = false
