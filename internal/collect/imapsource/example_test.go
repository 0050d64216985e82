package imapsource_test

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
)

// A source is one folder. Nothing is connected before the first run.
func ExampleNew() {
	src, err := imapsource.New(imapsource.Options{
		URL: "imaps://bob%40example.net@imap.example.net/Lists/Go%20nuts",
		Credentials: imapclient.Credentials{
			Password: func(context.Context) (string, error) { return "correct-horse", nil },
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := collect.Account{Name: "lists", Host: src.Host(), Source: src}
	fmt.Println(account.Host, src.User(), src.Folder())

	_, err = imapsource.New(imapsource.Options{URL: "imaps://bob:correct-horse@imap.example.net"})
	fmt.Println(err)
	// Output:
	// imap.example.net bob@example.net Lists/Go nuts
	// IMAP address "imaps://bob:xxxxx@imap.example.net" has a password in it: keep it elsewhere, others can read it here
}
