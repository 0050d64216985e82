package lmtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

func ExampleServer() {
	store := &fakeStore{} // any mailstore.Store
	srv := New(Options{Store: store, Directory: fakeDirectory{}, Hostname: "mail.example.com"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error)
	go func() { served <- srv.Serve(l) }()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.WriteString(c, "LHLO client\r\nMAIL FROM:<chris@bar.com>\r\nRCPT TO:<pat>\r\nRCPT TO:<jones>\r\n"+
		"DATA\r\nSubject: hello\r\n\r\nHello Pat.\r\n.\r\nQUIT\r\n")
	replies, _ := io.ReadAll(c)
	_, _ = io.WriteString(os.Stdout, strings.ReplaceAll(string(replies), "\r\n", "\n"))

	_ = srv.Shutdown(context.Background())
	fmt.Println(errors.Is(<-served, ErrClosed), len(store.all()))
	// Output:
	// 220 mail.example.com LMTP Postamt
	// 250-mail.example.com
	// 250-PIPELINING
	// 250-ENHANCEDSTATUSCODES
	// 250-8BITMIME
	// 250-SMTPUTF8
	// 250 SIZE 52428800
	// 250 2.1.0 sender ok
	// 250 2.1.5 recipient ok
	// 550 5.1.1 no such user here
	// 354 go ahead, end with <CRLF>.<CRLF>
	// 250 2.0.0 <pat> delivered
	// 221 2.0.0 bye
	// true 1
}
