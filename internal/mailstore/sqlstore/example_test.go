package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
)

// A message comes in and is picked up.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := deliverAndRead(dir); err != nil {
		log.Print(err)
	}
	// Output:
	// 1 message of 32 octets
	// Subject: hello
	//
	// How are you?
}

func deliverAndRead(dir string) (err error) {
	ctx := context.Background()
	cat, err := catalog.Open(ctx, filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		return err
	}
	defer cat.Close()
	folder, err := body.Dir(filepath.Join(dir, "mail"))
	if err != nil {
		return err
	}
	store, err := sqlstore.Open(ctx, cat, body.NewDisk(folder, body.Options{}), filepath.Join(dir, "locks"), sqlstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()

	in, err := store.Begin(ctx, mailstore.Envelope{Sender: "alice@example.com"})
	if err != nil {
		return err
	}
	defer in.Abort() // does nothing after Commit
	if _, err := io.WriteString(in, "Subject: hello\n\nHow are you?\n"); err != nil {
		return err
	}
	if _, err := in.Commit(ctx, []mailstore.Recipient{{Drop: 7, Address: "bob@example.org"}}); err != nil {
		return err
	}

	drop, err := store.Open(ctx, 7, mailstore.View{})
	if err != nil {
		return err
	}
	defer drop.Close()
	fmt.Println(drop.Len(), "message of", drop.Octets(), "octets")
	msg, err := drop.Body(ctx, 0)
	if err != nil {
		return err
	}
	defer msg.R.Close()
	lines := bufio.NewScanner(msg.R) // takes the CR off
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	return lines.Err()
}
