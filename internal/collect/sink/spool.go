package sink

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
)

// A spool takes in a message whose size must be known before it is handed on. Up to 64 KiB are in memory, more in a file
// without a name.
type spool struct {
	folder string
	start  []byte
	file   *os.File
	size   int64
	digest hash.Hash // of all of it
}

func newSpool(folder string) *spool { return &spool{folder: folder, digest: sha256.New()} }

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.start)+len(p) > blocks {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	if s.file == nil {
		s.start = append(s.start, p...)
	} else if n, err := s.file.Write(p); err != nil {
		return n, err
	}
	s.size += int64(len(p))
	s.digest.Write(p)
	return len(p), nil
}

// open begins a file with what is in memory.
func (s *spool) open() error {
	f, err := os.CreateTemp(s.folder, ".spool-*")
	if err != nil {
		return err
	}
	s.file = f
	err = os.Remove(f.Name()) // nothing is left of it after a crash
	if err == nil {
		_, err = f.Write(s.start)
	}
	return err
}

// text returns the message from its beginning.
func (s *spool) text() (io.Reader, error) {
	if s.file == nil {
		return bytes.NewReader(s.start), nil
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return s.file, err
}

// beginning returns the first octets, at most 64 KiB.
func (s *spool) beginning() []byte { return s.start }

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
