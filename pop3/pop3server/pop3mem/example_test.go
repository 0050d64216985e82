package pop3mem_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// A whole server with one account and one message, and a session with it.
func Example() {
	backend := new(pop3mem.Backend)
	if err := backend.AddAccount("alice", "looking-glass"); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := backend.Deliver("alice", []byte("Subject: tea\n\nAt six?\n")); err != nil {
		fmt.Println(err)
		return
	}
	srv := pop3server.New(pop3server.Options{Backend: backend, Cleartext: pop3server.CleartextLoopback})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error)
	go func() { served <- srv.Serve(ln) }()

	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(conn, "USER alice\r\nPASS looking-glass\r\nRETR 1\r\nQUIT\r\n")
	for r := bufio.NewScanner(conn); r.Scan(); {
		fmt.Println(strings.TrimRight(r.Text(), "\r"))
	}
	_ = conn.Close()

	_ = srv.Shutdown(context.Background())
	fmt.Println(<-served)
	// Output:
	// +OK POP3 server ready
	// +OK send PASS
	// +OK maildrop has 1 message (25 octets)
	// +OK 25 octets
	// Subject: tea
	//
	// At six?
	// .
	// +OK goodbye, 1 message left
	// pop3server: server closed
}
