//go:build !linux || !amd64

package sysfault

import (
	"context"
	"os"
)

// Supported returns nil if programs can be traced here.
func Supported() error { return ErrUnsupported }

// Tell says something to who traces this program. Without a tracer it does nothing.
func Tell(Mark) {}

// Run runs a program as planned and waits for it.
func Run(context.Context, Plan, string, []string, *os.ProcAttr) (Result, error) {
	return Result{}, ErrUnsupported
}
