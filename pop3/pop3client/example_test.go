package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// exampleServer runs a server in this process with three messages for alice. It returns how to reach it.
func exampleServer() (addr string, stop func()) {
	backend := new(pop3mem.Backend)
	if err := backend.AddAccount("alice", "looking-glass"); err != nil {
		panic(err)
	}
	for i, text := range []string{"At six?", "Off with her head!", "Curiouser and curiouser."} {
		message := fmt.Sprintf("Subject: number %d\r\n\r\n%s\r\n", i+1, text)
		if err := backend.DeliverUID("alice", fmt.Sprintf("uid-%d", i+1), []byte(message)); err != nil {
			panic(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	srv := pop3server.New(pop3server.Options{Backend: backend, Cleartext: pop3server.CleartextLoopback})
	done := make(chan error)
	go func() { done <- srv.Serve(l) }()
	return l.Addr().String(), func() {
		srv.Close()
		<-done
	}
}

// Fetch everything from a maildrop and delete it.
func Example() {
	addr, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	// Without Options the connection is TLS on port 995, verified. This server is on the same machine and has no TLS;
	// Login then uses SCRAM, which does not show the password.
	c, err := pop3client.Dial(ctx, addr, &pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Login(ctx, "alice", "looking-glass"); err != nil {
		fmt.Println(err)
		return
	}
	count, octets, err := c.Stat(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(count, "messages with", octets, "octets")
	for num := 1; num <= count; num++ {
		m, err := c.Retr(ctx, num)
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, m) // to a file, in real life
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("message", num, "has", n, "octets")
		if err := c.Dele(ctx, num); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(c.Quit(ctx)) // deletes
	// Output:
	// 3 messages with 118 octets
	// message 1 has 30 octets
	// message 2 has 41 octets
	// message 3 has 47 octets
	// <nil>
}

// Ask what is there by unique-id, to fetch only what is new.
func ExampleClient_UIDs() {
	addr, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := pop3client.Dial(ctx, addr, &pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Login(ctx, "alice", "looking-glass"); err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range c.UIDs(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Num, m.UID)
	}
	fmt.Println(c.Quit(ctx))
	// Output:
	// 1 uid-1
	// 2 uid-2
	// 3 uid-3
	// <nil>
}

// Fetch many messages without waiting for a round trip each.
func ExampleClient_Batch() {
	addr, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := pop3client.Dial(ctx, addr, &pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Login(ctx, "alice", "looking-glass"); err != nil {
		fmt.Println(err)
		return
	}
	ops := []pop3client.Op{
		{Verb: pop3client.RETR, Num: 1},
		{Verb: pop3client.RETR, Num: 7},
		{Verb: pop3client.DELE, Num: 1},
	}
	for r, err := range c.Batch(ctx, slices.Values(ops)) {
		var refused *pop3.Error
		switch {
		case errors.As(err, &refused): // this one command failed
			fmt.Println(r.Op.Verb, r.Op.Num, "refused")
		case err != nil: // the session is over
			fmt.Println(err)
			return
		case r.Message != nil:
			n, err := io.Copy(io.Discard, r.Message)
			fmt.Println(r.Op.Verb, r.Op.Num, n, err)
		default:
			fmt.Println(r.Op.Verb, r.Op.Num, "done")
		}
	}
	fmt.Println(c.Quit(ctx))
	// Output:
	// RETR 1 30 <nil>
	// RETR 7 refused
	// DELE 1 done
	// <nil>
}

// A wrong password, and what the error tells.
func ExampleClient_Login() {
	addr, stop := exampleServer()
	defer stop()
	ctx := context.Background()
	c, err := pop3client.Dial(ctx, addr, &pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	err = c.Login(ctx, "alice", "jabberwocky")
	fmt.Println("ask the user for another password:", pop3.IsAuth(err))
	fmt.Println("try again later:", pop3.IsTemporary(err))
	// Output:
	// ask the user for another password: true
	// try again later: false
}
