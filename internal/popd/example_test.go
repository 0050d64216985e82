package popd_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A post office with one account and one message, and somebody who picks it up.
func Example() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	folder, err := os.MkdirTemp("", "postamt")
	check(err)
	defer os.RemoveAll(folder)

	db, err := catalog.Open(ctx, filepath.Join(folder, "catalog.db"), catalog.Options{})
	check(err)
	defer db.Close()
	bodies, err := body.Dir(filepath.Join(folder, "bodies"))
	check(err)
	store, err := sqlstore.Open(ctx, db, body.NewDisk(bodies, body.Options{}), filepath.Join(folder, "locks"), sqlstore.Options{})
	check(err)
	defer store.Close()
	accounts, err := account.NewSQLDirectory(ctx, db, account.SQLOptions{})
	check(err)
	guard := account.NewGuard(accounts, account.GuardOptions{})
	defer guard.Close()

	alice, err := accounts.Add(ctx, "alice")
	check(err)
	check(accounts.SetPassword(ctx, "alice", "tanstaaf"))
	delivery, err := store.Begin(ctx, mailstore.Envelope{Sender: "bob@example.com"})
	check(err)
	_, err = delivery.Write([]byte("Subject: lunch?\r\n\r\nToday at noon.\r\n"))
	check(err)
	_, err = delivery.Commit(ctx, []mailstore.Recipient{{Drop: mailstore.DropID(alice.ID)}})
	check(err)

	server := pop3server.New(pop3server.Options{
		Backend:   popd.New(popd.Options{Store: store, SignIn: guard, SCRAM: true}),
		Cleartext: pop3server.CleartextLoopback,
	})
	defer server.Close()
	client, end := net.Pipe()
	go server.ServeConn(end) // until QUIT; Close waits for it

	replies := bufio.NewScanner(client)
	for _, command := range []string{"", "USER alice", "PASS tanstaaf", "STAT", "RETR 1", "DELE 1", "QUIT"} {
		if command != "" {
			fmt.Fprintf(client, "%s\r\n", command)
		}
		for replies.Scan() {
			fmt.Println(replies.Text())
			if !strings.HasPrefix(command, "RETR") || replies.Text() == "." {
				break
			}
		}
	}
	// Output:
	// +OK POP3 server ready
	// +OK send PASS
	// +OK maildrop has 1 message (35 octets)
	// +OK 1 35
	// +OK 35 octets
	// Subject: lunch?
	//
	// Today at noon.
	// .
	// +OK message 1 deleted
	// +OK goodbye, maildrop is empty
}
