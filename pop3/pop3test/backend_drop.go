package pop3test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

func (b *backendTest) empty() {
	d, list := b.openDrop()
	if list.Len() != 0 || list.Octets() != 0 {
		b.Errorf("an empty maildrop has %d messages of %d octets", list.Len(), list.Octets())
	}
	b.closeDrop(d, &pop3server.Outcome{})
	d, list = b.openDrop()
	if list.Len() != 0 {
		b.Errorf("an empty maildrop has %d messages after Update", list.Len())
	}
	b.closeDrop(d, nil)
}

// listing: delivery order, sizes as POP3 counts them, and a sum that is one.
func (b *backendTest) listing() {
	b.deliver(bodyMessages()...)
	d, list := b.openDrop()
	defer b.closeDrop(d, nil)
	if list.Len() != len(bodyMessages()) {
		b.Fatalf("the listing has %d messages of %d", list.Len(), len(bodyMessages()))
	}
	var sum int64
	for i := range list.Len() {
		sum += list.Size(i)
		content := b.read(d, list, i)
		if !bytes.HasSuffix(content, crlfForm([]byte(bodyMessages()[i]))) {
			b.Errorf("message %d is not the one that was delivered as number %d", i, i)
		}
		if list.Size(i) != int64(len(content)) {
			b.Errorf("message %d has size %d in the listing and %d octets", i, list.Size(i), len(content))
		}
	}
	if list.Octets() != sum {
		b.Errorf("Octets() = %d, the sizes come to %d", list.Octets(), sum)
	}
}

// bodies: what Body says of its octets is true, also when a message is read again, in any order.
func (b *backendTest) bodies() {
	b.deliver(bodyMessages()...)
	d, list := b.openDrop()
	defer b.closeDrop(d, nil)
	first := make([][]byte, list.Len())
	for i := range list.Len() {
		first[i] = b.read(d, list, i)
	}
	for _, i := range slices.Backward(slices.Collect(seq(list.Len()))) {
		if !bytes.Equal(b.read(d, list, i), first[i]) {
			b.Errorf("message %d reads differently the second time", i)
		}
	}
	for _, i := range []int{-1, list.Len()} {
		if body, err := messageOf(b.Context(), d, i); err == nil {
			_ = body.R.Close()
			b.Errorf("Message(%d) of %d messages: no error", i, list.Len())
		}
	}
}

func seq(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// messageOf calls Message; pop3server never asks for a message that is not there, so a panic is as good as an error.
func messageOf(ctx context.Context, d pop3server.Maildrop, i int) (body pop3server.Body, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("panic")
		}
	}()
	return d.Message(ctx, i)
}

// read reads message i, checks what its Body says and returns it with CRLF line ends.
func (b *backendTest) read(d pop3server.Maildrop, list pop3server.Listing, i int) []byte {
	b.Helper()
	body, err := d.Message(b.Context(), i)
	if err != nil {
		b.Fatalf("Message(%d): %v", i, err)
	}
	defer func() {
		if err := body.R.Close(); err != nil {
			b.Errorf("closing message %d: %v", i, err)
		}
	}()
	octets, err := io.ReadAll(io.LimitReader(body.R, MaxTranscriptMessage))
	if err != nil {
		b.Fatalf("reading message %d: %v", i, err)
	}
	if body.Size != int64(len(octets)) {
		b.Errorf("message %d: Body.Size is %d, R gives %d octets", i, body.Size, len(octets))
	}
	content := crlfForm(octets)
	if body.Form != pop3server.FormText && !bytes.Equal(content, octets) {
		b.Errorf("message %d: Form promises CRLF line ends, which it does not have", i)
	}
	if body.Form == pop3server.FormWire && !bytes.Equal(wireForm(octets), octets) {
		b.Errorf("message %d: FormWire, and a line begins with a dot", i)
	}
	if body.Form != pop3server.FormText && body.Size != list.Size(i) {
		b.Errorf("message %d: Body.Size is %d, the listing says %d", i, body.Size, list.Size(i))
	}
	if h := body.Header; h != 0 && h != int64(headerEnd(octets)) {
		b.Errorf("message %d: Header is %d, which is not the end of the first empty line", i, h)
	}
	return content
}

// headerEnd returns the octets up to and including the first empty line, or all if there is none.
func headerEnd(message []byte) int {
	n := 0
	for line := range bytes.Lines(message) {
		n += len(line)
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	return n
}

// uniqueIDs: 1 to 70 octets of 0x21 to 0x7E, different for equal messages, kept, never given again (RFC 1939 §7).
func (b *backendTest) uniqueIDs() {
	const twin = "Subject: twin\r\n\r\nthe same\r\n"
	b.deliver(twin, twin, twin)
	d, list := b.openDrop()
	before := uids(list)
	seen := map[string]bool{}
	for i, uid := range before {
		if !pop3.ValidUID(uid) {
			b.Errorf("unique-id %q is not 1 to %d octets of 0x21 to 0x7E", uid, pop3.MaxUID)
		}
		if seen[uid] {
			b.Errorf("two messages have the unique-id %q", uid)
		}
		seen[uid] = true
		if got := list.AppendUID([]byte("1 "), i); string(got) != "1 "+uid {
			b.Errorf("AppendUID after %q gives %q", "1 ", got)
		}
	}
	b.closeDrop(d, nil)
	if again := b.look(); !slices.Equal(before, again) {
		b.Errorf("unique-ids change from session to session: %q, %q", before, again)
	}

	// Delete the newest, deliver the same again: another unique-id, and the others keep theirs.
	for range 3 {
		d, list := b.openDrop()
		last := list.Len() - 1
		b.closeDrop(d, &pop3server.Outcome{Deleted: []int{last}})
		b.deliver(twin)
		now := b.look()
		if len(now) != 3 || !slices.Equal(now[:2], before[:2]) {
			b.Fatalf("after a removal and a delivery the unique-ids are %q, before %q", now, before)
		}
		if seen[now[2]] {
			b.Fatalf("unique-id %q is given a second time", now[2])
		}
		seen[now[2]] = true
	}
}

// snapshot: a session sees the messages that were there when it took the lock (RFC 1939 §4).
func (b *backendTest) snapshot() {
	b.deliver("Subject: one\r\n\r\n", "Subject: two\r\n\r\n")
	d, list := b.openDrop()
	before, octets := uids(list), list.Octets()
	b.deliver("Subject: three\r\n\r\n")
	if got := uids(list); !slices.Equal(got, before) || list.Octets() != octets {
		b.Errorf("the listing changes while mail arrives: %q, then %q", before, got)
	}
	if !bytes.HasSuffix(b.read(d, list, 1), []byte("Subject: two\r\n\r\n")) {
		b.Error("message 1 is another one after mail arrived")
	}
	b.closeDrop(d, &pop3server.Outcome{Deleted: []int{0, 1}})
	d, list = b.openDrop()
	defer b.closeDrop(d, nil)
	if list.Len() != 1 || !bytes.HasSuffix(b.read(d, list, 0), []byte("Subject: three\r\n\r\n")) {
		b.Errorf("after all that the session saw was removed there are %d messages, want the one that came later", list.Len())
	}
}

// update: exactly what is marked goes, and the rest keeps its order, unique-ids and content.
func (b *backendTest) update() {
	messages := bodyMessages()
	b.deliver(messages...)
	d, list := b.openDrop()
	before := uids(list)
	marked := []int{0, 3, 4, len(messages) - 1}
	b.closeDrop(d, &pop3server.Outcome{Deleted: marked, Retrieved: []int{0, 1, 3}})

	d, list = b.openDrop()
	defer b.closeDrop(d, nil)
	var want []string
	var left []string
	for i, uid := range before {
		if !slices.Contains(marked, i) {
			want, left = append(want, uid), append(left, messages[i])
		}
	}
	if got := uids(list); !slices.Equal(got, want) {
		b.Fatalf("after Update the unique-ids are %q, want %q", got, want)
	}
	for i := range left {
		if !bytes.HasSuffix(b.read(d, list, i), crlfForm([]byte(left[i]))) {
			b.Errorf("message %d has another content after Update", i)
		}
	}
}

// noUpdate: without QUIT nothing is removed, whatever was read (RFC 1939 §6).
func (b *backendTest) noUpdate() {
	b.deliver("Subject: one\r\n\r\n", "Subject: two\r\n\r\n")
	d, list := b.openDrop()
	before := uids(list)
	b.read(d, list, 0)
	b.closeDrop(d, nil)
	if got := b.look(); !slices.Equal(got, before) {
		b.Errorf("after a session without QUIT the unique-ids are %q, before %q", got, before)
	}
}

// unmarked: QUIT without marks removes nothing.
func (b *backendTest) unmarked() {
	b.deliver("Subject: one\r\n\r\n", "Subject: two\r\n\r\n")
	d, list := b.openDrop()
	before := uids(list)
	b.read(d, list, 0)
	b.closeDrop(d, &pop3server.Outcome{Retrieved: []int{0}})
	if got := b.look(); !slices.Equal(got, before) {
		b.Errorf("after QUIT without marks the unique-ids are %q, before %q", got, before)
	}
}

// apart: what is one user's is not another's, neither mail nor lock.
func (b *backendTest) apart() {
	b.account("bob")
	b.deliver("Subject: for ann\r\n\r\n")
	ann, _ := b.openDrop()
	defer b.closeDrop(ann, nil)
	bob, err := b.tryOpen("bob")
	if err != nil {
		b.Fatalf("Open of bob's maildrop while ann's is open: %v", err)
	}
	list, err := bob.Scan(b.Context())
	if err != nil || list.Len() != 0 {
		b.Errorf("bob's maildrop has ann's mail (%v)", err)
	}
	b.closeDrop(bob, &pop3server.Outcome{})
}

// restart: mail and unique-ids are the same after a restart, and what was locked is free.
func (b *backendTest) restart() {
	if b.Restart == nil {
		b.Skip("the backend forgets everything")
	}
	b.deliver(bodyMessages()...)
	d, list := b.openDrop()
	before := uids(list)
	b.closeDrop(d, &pop3server.Outcome{Deleted: []int{1}})
	before = slices.Delete(before, 1, 2)
	backend, err := b.Restart()
	if err != nil {
		b.Fatalf("Restart: %v", err)
	}
	b.Backend = backend
	if got := b.look(); !slices.Equal(got, before) {
		b.Errorf("after a restart the unique-ids are %q, before %q", got, before)
	}
}
