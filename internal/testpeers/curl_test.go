package testpeers

import (
	"fmt"
	"strings"
	"testing"
)

func curl(t *testing.T, j job) (got [][]byte) {
	scheme, flags := "pop3", []string{"--silent", "--show-error", "--user", j.user + ":" + j.password, "--cacert", j.d.Cert}
	switch j.wire {
	case stls:
		flags = append(flags, "--ssl-reqd")
	case pop3s:
		scheme = "pop3s"
	}
	url := scheme + "://localhost:" + j.port() + "/"
	listing := string(j.run(t, "curl", append(flags, url)...))
	for n := range strings.Count(listing, "\n") {
		got = append(got, j.run(t, "curl", append(flags, fmt.Sprint(url, n+1))...))
	}
	if j.remove {
		for range got { // each run is a session of its own, so the next message is number 1 again
			j.run(t, "curl", append(flags, "--list-only", "--request", "DELE", url+"1")...)
		}
	}
	return got
}
