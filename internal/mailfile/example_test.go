package mailfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/mailfile"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "out.mbox")

	w, err := mailfile.Create(mailfile.Mbox, path, mailfile.WriterOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort()
	const text = "Subject: Hello\r\n\r\nFrom here on, all is well.\r\n"
	_, err = w.Write(ctx, mailfile.Outgoing{
		UID:      "0123456789abcdef",
		Received: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Sender:   "friend@example.com",
		Body:     strings.NewReader(text),
		Size:     int64(len(text)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	s, err := mailfile.Open(mailfile.Mbox, path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	var keys mailfile.Keyer
	for m, err := range s.Messages(ctx) {
		if err != nil {
			fmt.Println(err) // one message is damaged; the others follow
			continue
		}
		key, facts, err := keys.Key(m)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(m.File, m.Ordinal, m.Sender, m.Received.Format(time.DateOnly), facts.Octets, key[:20])
	}
	// Output: out.mbox 1 friend@example.com 2026-11-22 46 sha256:1efa2f038c3d6
}
