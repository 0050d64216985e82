package pop3server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// sockets returns the two ends of a TCP connection, ours with direct reads and writes.
func sockets(t *testing.T) (ours net.Conn, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	ours = direct(server)
	if _, ok := ours.(*socket); !ok {
		t.Fatalf("direct returned a %T", ours)
	}
	return ours, client.(*net.TCPConn)
}

func TestSocketRoundTrip(t *testing.T) {
	t.Parallel()
	ours, theirs := sockets(t)
	// Far more than the kernel takes at once, in short and in long writes, while the other end sends it back.
	want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<19)
	go func() {
		_, _ = io.Copy(theirs, theirs)
		_ = theirs.CloseWrite()
	}()
	sent := make(chan error, 1)
	go func() {
		rest := want
		for size := 1; len(rest) > 0; size = size*3%(2*maxDirect) + 1 {
			n, err := ours.Write(rest[:min(size, len(rest))])
			if err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- ours.(*socket).CloseWrite()
	}()
	got, err := io.ReadAll(ours)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d octets of %d came back, %v", len(got), len(want), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestSocketDeadlines(t *testing.T) {
	t.Parallel()
	ours, theirs := sockets(t)
	if err := ours.SetDeadline(past); err != nil {
		t.Fatal(err)
	}
	if n, err := ours.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %d, %v", n, err)
	}
	if n, err := ours.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %d, %v", n, err)
	}
	// A write that is cut says how much was taken: not less than the other end can have.
	if err := ours.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for {
		n, err := ours.Write(make([]byte, maxDirect))
		taken += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, theirs); err != nil || n != int64(taken) {
		t.Errorf("%d octets were said to be taken, %d came, %v", taken, n, err)
	}
}

func TestSocketEnds(t *testing.T) {
	t.Parallel()
	ours, theirs := sockets(t)
	if err := theirs.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil { // a reset
		t.Fatal(err)
	}
	if n, err := ours.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		t.Errorf("Read after a reset: %d, %v", n, err)
	}
	if n, err := ours.Write([]byte("x")); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after a reset: %d, %v", n, err)
	}

	ours, theirs = sockets(t)
	ended := make(chan error, 1)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		ended <- err
	}()
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read of a closed socket: %v", err)
	}
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the other end read %d, %v", n, err)
	}
}

func TestSocketAllocates(t *testing.T) {
	ours, theirs := sockets(t)
	p := make([]byte, 512)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := theirs.Write(p[:10]); err != nil {
			t.Error(err)
		}
		if _, err := ours.Read(p); err != nil {
			t.Error(err)
		}
		if _, err := ours.Write(p[:10]); err != nil {
			t.Error(err)
		}
		if _, err := theirs.Read(p); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a read and a write", n)
	}
}
