// Package movein reads what other collectors remember and how they are configured, so that nothing is fetched twice on the
// day of the move: fetchmail, getmail, mpop, fdm and Thunderbird.
package movein
