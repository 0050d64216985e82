package pop3server

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestDeep: errors and panics come back to the caller, a panic with the stack of where it happened.
func TestDeep(t *testing.T) {
	t.Parallel()
	if err := deep(func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := deep(func() error { return errSyntax }); !errors.Is(err, errSyntax) {
		t.Error(err)
	}
	if err := deep(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("a goroutine that ended is a success")
	}
	defer func() {
		p, ok := recover().(*deepPanic)
		if !ok || p.value != "oh" || !strings.Contains(string(p.stack), "explode") {
			t.Errorf("the panic came as %v", p)
		}
	}()
	_ = deep(explode)
	t.Error("a panic was lost")
}

func explode() error { panic("oh") }

// TestDeepGivesBack: what the stack of a sign-in takes is not kept by the session.
func TestDeepGivesBack(t *testing.T) {
	const sessions = 200
	stacks := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	done, ready := make(chan struct{}), make(chan struct{})
	defer close(done)
	before := stacks()
	for range sessions {
		go func() {
			_ = deep(func() error { wide(0); return nil })
			ready <- struct{}{}
			<-done
		}()
	}
	for range sessions {
		<-ready
	}
	if each := (int64(stacks()) - int64(before)) / sessions; each > 6<<10 {
		t.Errorf("a session keeps %d octets of stack", each)
	}
}

// wide needs 32 KiB of stack.
//
//go:noinline
func wide(at int) byte {
	var room [20 << 10]byte
	room[at] = 1
	return room[len(room)-1]
}
