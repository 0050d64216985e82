package faultfs

import (
	"io/fs"

	"github.com/postamt/postamt/internal/body"
)

// A Gate is a file system that makes no file's content durable before Open is closed: what is finished meanwhile has to
// wait.
type Gate struct {
	body.FS
	Open chan struct{}
}

// NewGate returns a closed gate before fsys. In a bubble of testing/synctest it must be made there.
func NewGate(fsys body.FS) *Gate { return &Gate{FS: fsys, Open: make(chan struct{})} }

// OpenFile opens a file whose Sync waits for the gate.
func (g *Gate) OpenFile(name string, flag int, perm fs.FileMode) (body.File, error) {
	f, err := g.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return gatedFile{f, g}, nil
}

type gatedFile struct {
	body.File
	gate *Gate
}

func (f gatedFile) Sync() error {
	<-f.gate.Open
	return f.File.Sync()
}
