package sink_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
)

// A letter that is delivered again, for example after a crash, is there once.
func ExampleMaildir() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		if err := deliverHello(filepath.Join(dir, "Maildir")); err != nil {
			fmt.Println(err)
			return
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "Maildir", "new", "*"))
	fmt.Println(len(names), "message", err)
	// Output: 1 message <nil>
}

func deliverHello(path string) error {
	ctx := context.Background()
	s, err := sink.NewMaildir(path, sink.MaildirOptions{})
	if err != nil {
		return err
	}
	defer s.Close()
	d, err := s.Begin(ctx, collect.Letter{Key: "example:1"})
	if err != nil {
		return err
	}
	defer d.Abort() // does nothing after Commit
	if _, err := io.WriteString(d, "Subject: hello\r\n\r\nHow are you?\r\n"); err != nil {
		return err
	}
	return d.Commit(ctx)
}

// A program gets the message on its standard input.
func ExamplePipe() {
	ctx := context.Background()
	s, err := sink.NewPipe([]string{"grep", "-q", "^Subject:"}, sink.PipeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"Subject: hello\r\n\r\n", "X: no subject\r\n\r\n"} {
		d, err := s.Begin(ctx, collect.Letter{Key: text[:1]})
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := io.WriteString(d, text); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(d.Commit(ctx))
	}
	// Output:
	// <nil>
	// the program grep did not take the message: exit status 1
}
