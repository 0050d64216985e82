package office

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A storm of hashes is tidied up after once each time that it is looked at, and quiet costs nothing.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		m := newMemory(func() { freed.Add(1) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.run(ctx)
		}()
		for range 100 {
			m.untidy()
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := freed.Load(); n != 0 {
			t.Errorf("freed %d times during the first second", n)
		}
		time.Sleep(time.Hour)
		if n := freed.Load(); n != 1 {
			t.Errorf("freed %d times after a storm of a second, want 1", n)
		}
		m.untidy()
		time.Sleep(tidyAfter + 1)
		if n := freed.Load(); n != 2 {
			t.Errorf("freed %d times, want 2", n)
		}
		cancel()
		<-done
	})
}
