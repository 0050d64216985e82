package sink

import (
	"bufio"
	"io"
	"os"

	"github.com/postamt/postamt/internal/mailfile"
)

// A messageFile is the file in which a message waits until it is whole, for the sinks that write files.
type messageFile struct {
	fault func(what string, err error) error // names the sink in an error

	file   *os.File // nil at the end, and for a message that is there already
	buffer *bufio.Writer
	count  counter
	lines  *mailfile.LineWriter
	out    io.Writer // nil at the end
}

// open makes the file. What is written to it goes to also, too, if that is not nil.
func (f *messageFile) open(path string, form mailfile.LineForm, also io.Writer) (err error) {
	if f.file, err = createOwned(path); err != nil {
		return f.fault("cannot take a message", err)
	}
	var w io.Writer = f.file
	if also != nil {
		w = io.MultiWriter(f.file, also)
	}
	f.buffer = bufio.NewWriterSize(w, blocks)
	f.count = counter{w: f.buffer}
	f.lines = mailfile.NewLineWriter(&f.count, form)
	f.out = f.lines
	return nil
}

// Write takes a part of the message.
func (f *messageFile) Write(p []byte) (int, error) {
	if f.out == nil {
		return 0, errEnded
	}
	n, err := f.out.Write(p)
	if err != nil {
		err = f.fault("cannot take a message", err)
	}
	return n, err
}
