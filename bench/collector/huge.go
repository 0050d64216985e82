package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// hugeMailbox fetches nothing new from a mailbox of so many messages: the first run is told to begin from now.
func hugeMailbox(ctx context.Context) error {
	s, err := startFake(*listed, 4000)
	if err != nil {
		return err
	}
	defer s.close()
	home := filepath.Join(*dir, "mailbox")
	var last cost
	for _, what := range []string{"first run, told to begin from now", "nothing new"} {
		if last, err = s.fetch(ctx, home, "keep = true\nstart = \"now\"\n"); err != nil {
			return err
		}
		fmt.Printf("a mailbox of %d messages, %s: %.2f s, %.2f s of CPU, %.1f MiB peak RSS\n", *listed, what, last.wall.Seconds(), last.cpu.Seconds(), float64(last.rss)/1024)
	}
	if n := s.retrieved(); n != 0 {
		return fmt.Errorf("%d messages were fetched though none was new", n)
	}
	return nil
}

// hugeMessage fetches one message of so many octets into a Maildir and compares what is there.
func hugeMessage(ctx context.Context) error {
	s, err := startFake(1, *giant)
	if err != nil {
		return err
	}
	defer s.close()
	home := filepath.Join(*dir, "message")
	c, err := s.fetch(ctx, home, "max_message = \"64GB\"\n")
	if err != nil {
		return err
	}
	if err := s.compare(filepath.Join(home, "Maildir", "new")); err != nil {
		return err
	}
	fmt.Printf("a message of %.2f GB into a Maildir: %.1f s, %.1f s of CPU, %.1f MiB peak RSS; every octet compared\n",
		float64(s.size)/1e9, c.wall.Seconds(), c.cpu.Seconds(), float64(c.rss)/1024)
	return os.RemoveAll(home)
}

// A fake is a POP3 server that keeps nothing: so many messages of the same size, made while they are sent.
type fake struct {
	l        net.Listener
	messages int
	size     int64 // a whole number of lines
	sessions sync.WaitGroup

	mu  sync.Mutex
	got int
}

// fakeLine is what messages consist of after the header.
const fakeLine = "this line has seventy-six characters and an end, as the lines of mail have it\r\n"

const fakeHeader = "From: fake@example.org\r\nSubject: huge\r\nMessage-ID: <%d@fake.example.org>\r\n\r\n"

func startFake(messages int, size int64) (*fake, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &fake{l: l, messages: messages}
	head := int64(len(fmt.Sprintf(fakeHeader, 1)))
	s.size = head + (size-head)/int64(len(fakeLine))*int64(len(fakeLine))
	s.sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.sessions.Go(func() {
				_ = s.serve(c)
				_ = c.Close()
			})
		}
	})
	return s, nil
}

func (s *fake) close() {
	_ = s.l.Close()
	s.sessions.Wait()
}

func (s *fake) retrieved() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// fetch runs postamt fetch against s.
func (s *fake) fetch(ctx context.Context, home, keys string) (cost, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return cost{}, err
	}
	cmd, err := postamtWith(ctx, home, filepath.Join(home, "Maildir"), s.l.Addr().String(), "bob", keys)
	if err != nil {
		return cost{}, err
	}
	return measured(cmd)
}

// serve is one session. Marks are not kept.
func (s *fake) serve(c net.Conn) error {
	r, w := bufio.NewReader(c), bufio.NewWriterSize(c, 256<<10)
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\r\n", args...) }
	say("+OK ready")
	for {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		num, _ := strconv.Atoi(arg)
		switch strings.ToUpper(verb) {
		case "CAPA":
			say("+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\nTOP\r\n.")
		case "STAT":
			say("+OK %d %d", s.messages, int64(s.messages)*s.size)
		case "LIST", "UIDL":
			say("+OK")
			for i := 1; i <= s.messages; i++ {
				if verb == "LIST" {
					say("%d %d", i, s.size)
				} else {
					say("%d fake%012d", i, i)
				}
			}
			say(".")
		case "RETR", "TOP":
			if num < 1 || num > s.messages {
				say("-ERR no such message")
				continue
			}
			say("+OK")
			if verb == "RETR" {
				s.mu.Lock()
				s.got++
				s.mu.Unlock()
				err = s.send(w)
			} else {
				fmt.Fprintf(w, fakeHeader, num)
			}
			if err != nil {
				return err
			}
			say(".")
		case "QUIT":
			say("+OK")
			return w.Flush()
		default:
			say("+OK")
		}
	}
}

// send writes the message.
func (s *fake) send(w io.Writer) error {
	head := fmt.Sprintf(fakeHeader, 1)
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	block := []byte(strings.Repeat(fakeLine, 1000))
	for left := s.size - int64(len(head)); left > 0; {
		n := min(left, int64(len(block)))
		if _, err := w.Write(block[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// compare wants the one message of a folder to be the one that send sends, with either kind of line end.
func (s *fake) compare(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return fmt.Errorf("%d messages came, not 1", len(entries))
	}
	f, err := os.Open(filepath.Join(folder, entries[0].Name()))
	if err != nil {
		return err
	}
	defer f.Close()
	head := fmt.Sprintf(fakeHeader, 1)
	lines := (s.size - int64(len(head))) / int64(len(fakeLine))
	r := bufio.NewReaderSize(f, 1<<20)
	want := []byte(fakeLine)
	first, err := r.Peek(len(head))
	if err != nil {
		return err
	}
	if !bytes.Contains(first, []byte("\r\n")) {
		want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
		head = strings.ReplaceAll(head, "\r\n", "\n")
	}
	got := make([]byte, len(head))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != head {
		return errors.Join(fmt.Errorf("the header came as %q", got), err)
	}
	got = make([]byte, len(want))
	for i := range lines {
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			return errors.Join(fmt.Errorf("line %d came as %q", i+1, got), err)
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return errors.New("more came than was sent")
	}
	return nil
}
