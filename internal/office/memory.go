package office

import (
	"context"
	"time"
)

// tidyAfter is how long memory is left alone after it became untidy, so that a storm of sign-ins is tidied up after
// once, or now and then if it lasts.
const tidyAfter = 2 * time.Second

// A memory gives back to the system what is left behind by password hashes: some 19 MiB each, which nobody needs after
// 20 ms, and which the runtime would hold on to for minutes.
type memory struct {
	used chan struct{}
	free func()
}

func newMemory(free func()) memory { return memory{make(chan struct{}, 1), free} }

// untidy says that there is something to give back. It does not wait.
func (m *memory) untidy() {
	select {
	case m.used <- struct{}{}:
	default: // it is known
	}
}

// run tidies up until ctx ends.
func (m *memory) run(ctx context.Context) {
	wait := time.NewTimer(tidyAfter)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.used:
		}
		wait.Reset(tidyAfter)
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		select {
		case <-m.used: // hashes of these two seconds
		default:
		}
		m.free()
	}
}
