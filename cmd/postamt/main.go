// Command postamt is a post office: it takes mail in over LMTP, keeps it safe and hands it out over POP3.
//
// Run "postamt help" for what it can do, and "postamt demo" to see it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/postamt/postamt/internal/terminal"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program, without the process around it.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{
		in: in, out: out, errs: errs,
		term:  terminal.New(out, os.Getenv),
		notes: terminal.New(errs, os.Getenv),
	}
	root := newRoot(a)
	root.SetArgs(args)
	return a.exit(root.ExecuteContext(context.Background()))
}

// interruptible returns a context that ends with SIGINT and SIGTERM, for commands that have something to finish or to
// tell then. Others are ended by the signal at once: nothing they do is ever half done.
// A second signal ends the program at once.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
