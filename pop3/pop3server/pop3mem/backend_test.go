package pop3mem

import (
	"context"
	"errors"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

func TestSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"": 0, "a": 3, "a\n": 3, "a\r\n": 3, "a\nb\r\nc": 9, "a\r": 4, "\n\n": 4, "a\r\r\n": 4, "a\rb\n": 5,
	} {
		if got := size([]byte(in)); got != want {
			t.Errorf("%q: %d octets, want %d", in, got, want)
		}
	}
}

// TestLockAndSnapshot: one session at a time; mail that comes during it shows in the next one; a unique-id never comes
// back.
func TestLockAndSnapshot(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var b Backend
	if err := b.AddAccount("a", "secret"); err != nil {
		t.Fatal(err)
	}
	if err := b.DeliverUID("a", "one", []byte("1\n")); err != nil {
		t.Fatal(err)
	}
	id := pop3server.Identity{User: "a"}
	d, err := b.Open(ctx, nil, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(ctx, nil, id); !errors.Is(err, pop3server.ErrInUse) {
		t.Errorf("second session: %v", err)
	}
	if err := b.DeliverUID("a", "two", []byte("2\n")); err != nil {
		t.Fatal(err)
	}
	list, err := d.Scan(ctx)
	if err != nil || list.Len() != 1 || list.Octets() != 3 {
		t.Fatalf("listing: %v, %v", list, err)
	}
	if err := d.Update(ctx, pop3server.Outcome{Deleted: []int{0}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err == nil {
		t.Error("closing twice is no error")
	}
	if got := b.UIDs("a"); len(got) != 1 || got[0] != "two" {
		t.Errorf("left: %v", got)
	}
	if err := b.DeliverUID("a", "one", nil); err == nil {
		t.Error("a unique-id came back")
	}
	if err := b.DeliverUID("a", "with space", nil); err == nil {
		t.Error("a bad unique-id was taken")
	}
	if _, err := b.Deliver("nobody", nil); err == nil {
		t.Error("delivered to nobody")
	}
}
