package popd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
)

func TestSession(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	o.deliver(
		"Subject: one\r\n\r\nfirst\r\n",
		"Subject: two\r\n\r\n.dot\r\n..\r\n.\r\n",   // must be byte-stuffed
		"Subject: three\n\nbare line feeds, no end", // becomes CRLF
		"",
	)
	c := o.connect().signIn()
	c.want("STAT", "+OK 4 95")
	c.ok("LIST")
	if diff := cmp.Diff([]string{"1 23", "2 29", "3 43", "4 0"}, c.lines()); diff != "" {
		t.Error(diff)
	}
	for i, want := range [][]string{
		{"Subject: one", "", "first"},
		{"Subject: two", "", "..dot", "...", ".."},
		{"Subject: three", "", "bare line feeds, no end"},
		nil,
	} {
		c.ok(fmt.Sprintf("RETR %d", i+1))
		if diff := cmp.Diff(want, c.lines()); diff != "" {
			t.Errorf("message %d: %s", i+1, diff)
		}
		c.ok(fmt.Sprintf("TOP %d 0", i+1))
		if diff := cmp.Diff(want[:min(2, len(want))], c.lines()); diff != "" {
			t.Errorf("head of message %d: %s", i+1, diff)
		}
	}
	c.ok("UIDL")
	uids := c.lines()
	c.ok("DELE 2")
	c.want("QUIT", "+OK goodbye, 3 messages left")

	c = o.connect().signIn()
	c.ok("UIDL")
	var want []string
	for i, old := range []int{0, 2, 3} {
		_, uid, _ := strings.Cut(uids[old], " ")
		want = append(want, fmt.Sprintf("%d %s", i+1, uid))
	}
	if diff := cmp.Diff(want, c.lines()); diff != "" {
		t.Error("unique-ids after a deletion:", diff)
	}
	c.ok("DELE 1")
	c.hangUp()
	if c = reconnect(o); c.do("STAT")[:5] != "+OK 3" {
		t.Error("a session without QUIT has deleted")
	}
	deleted, err := o.store.Deleted(context.Background(), o.alice, time.Time{})
	if err != nil || len(deleted) != 1 {
		t.Errorf("%d messages can be brought back, %v; want 1", len(deleted), err)
	}
}

// reconnect signs in as soon as the session that hung up has given its lock back.
func reconnect(o *office) *client {
	for {
		c := o.connect()
		c.ok("USER alice")
		if got := c.do("PASS tanstaaf"); got != inUse {
			if !strings.HasPrefix(got, "+OK") {
				o.t.Fatal(got)
			}
			return c
		}
		c.ok("QUIT")
	}
}

// fill fills the disk, as far as the catalog can tell: it has as many pages as it is allowed, and there is no room in
// them for one more deletion. It deletes from alice's maildrop until then.
func (o *office) fill() {
	o.t.Helper()
	o.maxPages(1) // means what it has
	for {
		d, err := o.store.Open(context.Background(), o.alice, mailstore.View{})
		if err != nil {
			o.t.Fatal(err)
		}
		if d.Len() < 3 {
			o.t.Fatal("too few messages to fill the disk with their deletion")
		}
		err = d.Update(context.Background(), mailstore.Update{Deleted: []int{0}})
		if err := d.Close(); err != nil {
			o.t.Fatal(err)
		}
		if errors.Is(err, mailstore.ErrUnavailable) {
			return
		}
		if err != nil {
			o.t.Fatal(err)
		}
	}
}

// maxPages sets how many pages the catalog may have; not less than it has.
func (o *office) maxPages(n int) {
	o.t.Helper()
	err := o.catalog.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(&n)
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// When the disk is full, people can sign in and read, QUIT says so and deletes nothing, and when there is room again
// everything works without a restart.
func TestQuitOnAFullDisk(t *testing.T) {
	t.Parallel()
	const text = "Subject: keep me\r\n\r\nkeep me\r\n"
	o := newOffice(t, settings{})
	o.deliver(slices.Repeat([]string{text}, 250)...)
	o.fill()

	c := o.connect().signIn()
	before := c.ok("STAT")
	c.ok("RETR 1")
	if got := strings.Join(c.lines(), "\r\n") + "\r\n"; got != text {
		t.Errorf("read %q", got)
	}
	c.ok("DELE 1")
	c.want("QUIT", "-ERR [SYS/TEMP] the mail store cannot do this now and has changed nothing, please try again later")

	c = o.connect().signIn()
	c.want("STAT", before)
	c.ok("DELE 1")
	o.maxPages(1 << 30)
	c.ok("QUIT")
	if after := o.connect().signIn().ok("STAT"); after == before {
		t.Errorf("with room again, QUIT deleted nothing: %s", after)
	}
}

// A body that cannot be opened now is a fault that may pass; the session goes on.
func TestReadError(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	o.deliver("Subject: x\r\n\r\nx\r\n")
	c := o.connect().signIn()
	o.disk.Set(faultfs.Plan{At: 1, Err: syscall.EIO, Stay: true})
	c.want("RETR 1", "-ERR [SYS/TEMP] the mail store cannot do this now and has changed nothing, please try again later")
	o.disk.Set(faultfs.Plan{})
	c.ok("RETR 1")
	c.lines()
	c.ok("QUIT")
}

// A body that is missing is for an operator to see to; the rest of the maildrop can be read.
func TestMissingBody(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	o.deliver("Subject: lost\r\n\r\nlost\r\n", "Subject: there\r\n\r\nthere, and longer\r\n")
	if n := removeBodies(t, o, "lost"); n != 1 {
		t.Fatalf("%d files of the first message, want 1", n)
	}
	c := o.connect().signIn()
	c.want("RETR 1", "-ERR [SYS/PERM] this message is damaged in the store; please tell your postmaster")
	c.ok("RETR 2")
	c.lines()
	c.ok("QUIT")
}

// removeBodies removes the files below the folder of bodies that contain text, and returns how many there were.
func removeBodies(t *testing.T, o *office, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(o.folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(path, "bodies") {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), text) {
			n++
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A maildrop that is removed during the session stays readable as far as its bodies are there, and QUIT tells the truth.
func TestRemovedDuringTheSession(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	o.deliver("Subject: x\r\n\r\nx\r\n")
	c := o.connect().signIn()
	if err := o.store.Remove(context.Background(), o.alice); err != nil {
		t.Fatal(err)
	}
	c.ok("STAT")
	c.ok("DELE 1")
	c.want("QUIT", "-ERR [SYS/PERM] this maildrop was removed")
}
