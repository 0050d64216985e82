package pop3server

import (
	"errors"
	"runtime/debug"
)

// deep runs f in a goroutine of its own and waits for it. Signing in needs a deep stack (a database, a password hash),
// which would stay with the session while it idles, up to the next garbage collection or longer: 8 of 17 KiB, measured.
// This one goes when f is done. A panic of f is one of the caller.
func deep(f func() error) error {
	type ending struct {
		err   error
		panic *deepPanic
	}
	done := make(chan ending, 1)
	go func() {
		e := ending{err: errNoEnd}
		defer func() {
			if p := recover(); p != nil {
				e.panic = &deepPanic{p, debug.Stack()}
			}
			done <- e
		}()
		makeRoom(0)
		e.err = f()
	}()
	e := <-done
	if e.panic != nil {
		panic(e.panic)
	}
	return e.err
}

// errNoEnd: the backend ended a goroutine of ours. That is no success.
var errNoEnd = errors.New("pop3server: the backend ended the goroutine (runtime.Goexit)")

// A deepPanic is a panic on its way from the goroutine of deep to that of the session.
type deepPanic struct {
	value any
	stack []byte
}

// stackRoom is what signing in needs of a stack that is 16 KiB then.
const stackRoom = 10 << 10

// makeRoom makes the stack large while there is nothing on it. Else it would be doubled three times on the way down, and
// all frames copied each time: 9 % of the CPU of a sign-in.
//
//go:noinline
func makeRoom(at int) byte {
	var room [stackRoom]byte // with an index that the compiler does not know, it cannot do without
	room[at] = 1
	return room[len(room)/2]
}
