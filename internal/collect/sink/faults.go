package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/collect"
)

// errEnded is for a delivery that is used after its end.
var errEnded = errors.New("sink: delivery is used after its end")

// temporary marks err as one that may pass by itself.
func temporary(err error) error {
	if err == nil {
		return nil
	}
	var already *collect.TemporaryError
	if errors.As(err, &already) || collect.Classify(err) == collect.Permanent {
		return err
	}
	return &collect.TemporaryError{Err: err}
}

// missing reports whether there is no password or token until a person does something: it may also be that nobody has
// unlocked the keyring yet, or that ctx ended.
func missing(ctx context.Context, err error) bool {
	var temporary *collect.TemporaryError
	return ctx.Err() == nil && !errors.As(err, &temporary)
}

// later says what failed, as something that may pass: a full or failing disk, a folder without permission.
func later(what string, err error) error {
	if err == nil {
		return nil
	}
	return temporary(fmt.Errorf("%s: %w", what, err))
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeFolder makes a folder if it is not there, and its name durable.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// blocks is the size of buffers between a message and a file.
const blocks = 64 << 10

// A counter counts octets and line ends on their way to w.
type counter struct {
	w      io.Writer
	octets int64
	bare   int64 // LF without a CR before it
	last   byte
}

func (c *counter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.bare += int64(bytes.Count(p, []byte{'\n'}) - bytes.Count(p, []byte("\r\n")))
	if c.last == '\r' && p[0] == '\n' {
		c.bare--
	}
	c.last = p[len(p)-1]
	c.octets += int64(len(p))
	return c.w.Write(p)
}
