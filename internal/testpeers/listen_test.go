package testpeers

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// A port that is kept refuses connections, is got by nobody else, and can be listened at all the same.
func TestKeptPort(t *testing.T) {
	t.Parallel()
	port := Unanswered(t)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before somebody listens: %v", err)
	}
	if _, err := keepPort(t, port); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("kept twice: %v", err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if _, err := keepPort(t, port); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("kept while somebody listens: %v", err)
	}
}
