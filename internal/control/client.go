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
	"syscall"
)

// ErrNotRunning says that no daemon listens on the socket.
var ErrNotRunning = errors.New("control: no daemon is running")

// Ask sends a request to the daemon behind the socket at path and returns its reply. It waits as long as ctx lets it:
// opening listeners and reading certificates may take a moment.
func Ask(ctx context.Context, path string, req Request) (Reply, error) {
	var reply Reply
	var d net.Dialer
	short, release, err := shorten(path)
	if errors.Is(err, os.ErrNotExist) {
		return reply, fmt.Errorf("%w (%s)", ErrNotRunning, path)
	} else if err != nil {
		return reply, err
	}
	defer release()
	c, err := d.DialContext(ctx, "unix", short)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return reply, fmt.Errorf("%w (%s)", ErrNotRunning, path)
	case err != nil:
		return reply, err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if err := writeLine(c, req); err != nil {
		return reply, err
	}
	line, err := bufio.NewReader(io.LimitReader(c, maxLine)).ReadBytes('\n')
	switch {
	case ctx.Err() != nil:
		return reply, ctx.Err()
	case errors.Is(err, io.EOF):
		return reply, errors.New("the daemon closed the connection without an answer")
	case err != nil:
		return reply, err
	}
	return reply, json.Unmarshal(line, &reply)
}
