package office

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/config"
)

func ExampleOffice() {
	dir, err := os.MkdirTemp("", "office-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := config.Default()
	cfg.Data = filepath.Join(dir, "data")
	cfg.POP3.Listen, cfg.POP3.ListenTLS, cfg.LMTP.Listen = []string{"127.0.0.1:0"}, nil, []string{"unix:" + filepath.Join(dir, "lmtp.sock")}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	o, err := Open(ctx, &cfg, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan error)
	go func() { ran <- o.Run(ctx) }()
	bob, err := o.Vault().Accounts.Add(ctx, "bob")
	fmt.Println(bob.Name, err)
	fmt.Println(len(o.Addresses("pop3")), len(o.Addresses("pop3s")), len(o.Addresses("lmtp")))
	stop()
	fmt.Println(<-ran)
	// Output:
	// bob <nil>
	// 1 0 1
	// <nil>
}
