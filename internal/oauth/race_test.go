//go:build race

package oauth_test

const underRace = true
