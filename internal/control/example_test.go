package control

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

func Example() {
	dir, err := os.MkdirTemp("", "control-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "control.sock")
	l, err := Listen(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		served <- Serve(ctx, l, func(_ context.Context, req Request) Reply { return Reply{Notes: []string{req.Op + " done"}} })
	}()

	reply, err := Ask(ctx, path, Request{Op: "reload"})
	fmt.Println(reply.Notes, err)

	stop()
	fmt.Println(<-served)
	_, err = Ask(context.Background(), path, Request{Op: "reload"})
	fmt.Println(err != nil)
	// Output:
	// [reload done] <nil>
	// <nil>
	// true
}
