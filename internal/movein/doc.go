// Package movein reads what other collectors remember and how they are configured, so that nothing is fetched twice on the
// day of the move: fetchmail, getmail, mpop, fdm and Thunderbird.
//
// state.go is about what they have fetched, one file per program beside it; account.go about their accounts, with one file
// per program, too. What cannot be carried over is said, not guessed.
package movein
