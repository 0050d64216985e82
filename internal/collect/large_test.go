package collect_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// A mailbox of 100,000 messages: what is in memory is the listing and what the journal knows, and a run that finds nothing
// new writes nothing but its status.
func TestLargeMailbox(t *testing.T) { // it measures the heap
	messages := 100_000
	if testing.Short() {
		messages = 20_000
	}
	b := newBench(t, nil)
	b.box.list = func([]collect.Remote) ([]collect.Remote, error) {
		list := make([]collect.Remote, messages)
		for i := range list {
			list[i] = collect.Remote{Num: i + 1, UID: fmt.Sprintf("0000%08x0000%08x", i, i), Size: int64(1000 + i%5000)}
		}
		return list, nil
	}
	b.account.Rules.Start = collect.StartNow
	b.run()
	saves := 0
	collect.SetStep(&b.opt, func(name string) {
		if name == "save" {
			saves++
		}
	})
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.opt.Progress = func(e collect.Event) {
		if e.Kind == collect.EventOpened {
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
	}
	begun := time.Now()
	rep := b.run()
	each := int64(during.HeapAlloc-before.HeapAlloc) / int64(messages) // far below
	t.Logf("%d messages, nothing new: %v, %d octets of heap per message", messages, time.Since(begun).Round(time.Millisecond), each)
	if rep.Listed != messages || rep.Fetched != 0 || rep.New != 0 || saves != 0 {
		t.Errorf("%+v, %d saves", rep, saves)
	}
	if each > 1500 {
		t.Errorf("%d octets of heap per message", each)
	}
}
