package imapclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/postamt/postamt/internal/imapclient"
)

// toExample connects to a server with one message.
func toExample(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() { // ends with the pipe
		defer far.Close()
		_, _ = io.WriteString(far, "* OK [CAPABILITY IMAP4rev1] ready\r\n")
		for lines := bufio.NewScanner(far); lines.Scan(); {
			tag, command, _ := strings.Cut(lines.Text(), " ")
			word, _, _ := strings.Cut(command, " ")
			answer := map[string]string{
				"EXAMINE": "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n",
				"FETCH":   "* 1 FETCH (UID 7 RFC822.SIZE 26 FLAGS (\\Seen))\r\n",
				"UID":     "* 1 FETCH (UID 7 BODY[] {26}\r\nSubject: hello\r\n\r\nHello.\r\n)\r\n",
			}[word]
			_, _ = io.WriteString(far, answer+tag+" OK done\r\n")
		}
	}()
	return near, nil
}

// A folder is read without changing anything in it.
func Example() {
	ctx := context.Background()
	c, err := imapclient.Dial(ctx, imapclient.Options{
		Addr: "imap.example.net:143", Security: imapclient.Clear, AllowCleartext: true,
		User: "bob", Password: "correct-horse", DialContext: toExample,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	folder, err := c.Examine(ctx, "INBOX")
	if err != nil {
		fmt.Println(err)
		return
	}
	messages, err := c.List(ctx, folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range messages {
		fmt.Println("unique-id", m.UID, "of", folder.UIDValidity, m.Flags)
		body, err := c.Fetch(ctx, m.UID, imapclient.Whole)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(body)
		fmt.Printf("%q %v\n", text, errors.Join(err, body.Close()))
	}
	fmt.Println(c.Logout(ctx))
	// Output:
	// unique-id 7 of 5 \Seen
	// "Subject: hello\r\n\r\nHello.\r\n" <nil>
	// <nil>
}
