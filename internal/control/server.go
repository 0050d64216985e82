package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	maxLine  = 64 << 10         // octets of a request or a reply
	patience = 10 * time.Second // for the other end to send or take its line
	maxConns = 8
)

// A Request asks the daemon for something.
type Request struct {
	// Op is the operation, "reload".
	Op string `json:"op"`
}

// A Reply is the daemon's answer.
type Reply struct {
	// Error is one sentence or more for a person, empty if the operation was done.
	Error string `json:"error,omitempty"`
	// Notes are what a person should know about the operation that was done.
	Notes []string `json:"notes,omitempty"`
}

// A Handler does what a Request asks.
type Handler func(ctx context.Context, req Request) Reply

// Listen makes the socket at path, for this user only. A socket that is left over is replaced: the caller must hold the
// lock of the data folder, so that it cannot be a living daemon's.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	short, release, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would unlink the short name
	// Between bind and chmod others could connect if the folder let them in; it does not (0700).
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return &listener{UnixListener: l, path: path}, nil
}

// A listener takes its socket away when it is closed.
type listener struct {
	*net.UnixListener
	path string
	once sync.Once // later on the path may be another's
	err  error
}

// Close implements net.Listener. When it returns, also in a second call, the socket is gone.
func (l *listener) Close() error {
	l.once.Do(func() { l.err = errors.Join(l.UnixListener.Close(), os.Remove(l.path)) })
	return l.err
}

// maxPath is the length of the longest name that a unix socket can be bound to, in octets.
const maxPath = 107

// shorten returns a name for a socket's path that is short enough: the path itself, or one through a descriptor of its
// folder, which is good until release is called.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	return short, func() { _ = folder.Close() }, nil
}

// Serve answers requests until ctx ends; it closes l, waits for handlers that run, and returns nil then. Requests are
// handled one after another; a few more wait, others are turned away. When the system is short of something (file
// descriptors, most likely), it waits for it: the socket must still be there afterwards.
func Serve(ctx context.Context, l net.Listener, handle Handler) error {
	var running sync.WaitGroup
	defer running.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer func() { _ = l.Close() }()
	var one sync.Mutex
	room := make(chan struct{}, maxConns)
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		var passing interface{ Temporary() bool }
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case errors.As(err, &passing) && passing.Temporary():
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		case err != nil:
			return fmt.Errorf("control socket: %w", err)
		}
		pause = 0
		select {
		case room <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		running.Go(func() {
			defer func() { _ = c.Close(); <-room }()
			var req Request
			if err := readLine(c, &req); err != nil {
				_ = writeLine(c, Reply{Error: "The daemon did not understand the request."})
				return
			}
			one.Lock()
			reply := handle(ctx, req)
			one.Unlock()
			_ = writeLine(c, reply) // the command may be gone; what it asked for is done
		})
	}
}

func readLine(c net.Conn, v any) error {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(io.LimitReader(c, maxLine)).ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

func writeLine(c net.Conn, v any) error {
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(line, '\n'))
	return err
}
