package pop3server_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

// files is a backend whose messages are files in wire form.
func files(t testing.TB, lengths ...int) *stub {
	t.Helper()
	dir := t.TempDir()
	s := &stub{}
	var list sizes
	for i, n := range lengths {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), crlfText(n), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, int64(n))
	}
	s.list = list
	s.message = func(_ context.Context, i int) (pop3server.Body, error) {
		f, err := os.Open(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return pop3server.Body{}, err
		}
		return pop3server.Body{R: f, Form: pop3server.FormWire, Size: list[i]}, nil
	}
	return s
}

// raw reads a response to RETR, exactly as it comes.
func (p *peer) raw(cmd string, size int) []byte {
	p.t.Helper()
	p.cmd(cmd, "+OK "+strconv.Itoa(size)+" octets")
	buf := make([]byte, size+len(".\r\n"))
	if _, err := io.ReadFull(p.r, buf); err != nil {
		p.t.Fatal(err)
	}
	return buf
}

// TestKernelCopies: a large file goes to a plain TCP connection through ReadFrom, which is sendfile, and small ones in
// one write together with status line and end.
func TestKernelCopies(t *testing.T) {
	t.Parallel()
	lengths := []int{0, 2, 60_000, 65_472, 65_473, 70_000, 1_000_000}
	p, c := countedPair(t, files(t, lengths...).server(t, nil).Server)
	p.signedIn()
	for i, n := range lengths {
		writes, readFroms := c.counts()
		got := p.raw("RETR "+strconv.Itoa(i+1), n)
		if want := append(crlfText(n), ".\r\n"...); !bytes.Equal(got, want) {
			t.Errorf("%d octets: wrong octets", n)
		}
		p.cmd("NOOP", "+OK ") // so that all is written
		w, r := c.counts()
		writes, readFroms = w-writes-1, r-readFroms
		wantWrites, wantReadFroms := 1, 0
		if n > 65_472 {
			wantWrites, wantReadFroms = 2, (n+1<<18-1)>>18 // status and end; slices of 256 KiB
		}
		if writes != wantWrites || readFroms != wantReadFroms {
			t.Errorf("%d octets: %d writes, %d ReadFroms, want %d, %d", n, writes, readFroms, wantWrites, wantReadFroms)
		}
	}
	p.quit()
}

// TestOnlyFilesAreCopied: any other reader goes through our own buffers, which net.TCPConn.ReadFrom would not use.
func TestOnlyFilesAreCopied(t *testing.T) {
	t.Parallel()
	const n = 300_000
	s := &stub{list: sizes{n}, message: func(context.Context, int) (pop3server.Body, error) {
		return text(pop3server.FormWire, crlfText(n)), nil
	}}
	p, c := countedPair(t, s.server(t, nil).Server)
	p.signedIn()
	if got := p.raw("RETR 1", n); !bytes.Equal(got[:n], crlfText(n)) {
		t.Error("wrong octets")
	}
	if _, r := c.counts(); r != 0 {
		t.Errorf("%d ReadFroms", r)
	}
	p.quit()
}

// TestBrokenFile: a file that does not end with CRLF is found before anything is sent.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "m")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stub{list: sizes{100_000, 200_000}, message: func(_ context.Context, i int) (pop3server.Body, error) {
		f, err := os.Open(name)
		return pop3server.Body{R: f, Form: pop3server.FormWire, Size: int64(100_000 * (i + 1))}, err
	}}
	p := dial(t, s.server(t, nil).tcp(t, false)).signedIn()
	p.cmd("RETR 1", "-ERR [SYS/PERM] the message is damaged")
	p.cmd("RETR 2", "-ERR [SYS/PERM] the message is damaged") // shorter than LIST says
	p.quit()
}

// recordConn notes the sizes of writes.
type recordConn struct {
	net.Conn
	mu     sync.Mutex
	writes []int
}

func (c *recordConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes = append(c.writes, len(p))
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// TestFullRecords: over TLS a message goes out in records of 16 KiB, from the first one on.
func TestFullRecords(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	for name, form := range map[string]pop3server.Form{"wire": pop3server.FormWire, "crlf": pop3server.FormCRLF} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stub{list: sizes{n}, message: func(context.Context, int) (pop3server.Body, error) { return text(form, crlfText(n)), nil }}
			srv := s.server(t, func(o *pop3server.Options) { o.TLSConfig = serverTLS() })
			client, server := net.Pipe()
			rec := &recordConn{Conn: server}
			var wg sync.WaitGroup
			wg.Go(func() { _ = srv.ServeConnTLS(rec) })
			t.Cleanup(func() { _ = client.Close(); wg.Wait() })
			p := newPeer(t, client)
			p.startTLS(nil)
			p.signedIn()
			rec.mu.Lock()
			rec.writes = nil
			rec.mu.Unlock()
			if got := p.raw("RETR 1", n); !bytes.Equal(got[:n], crlfText(n)) {
				t.Error("wrong octets")
			}
			rec.mu.Lock()
			count := len(rec.writes)
			rec.mu.Unlock()
			if most := n/(16<<10) + 4; count > most {
				t.Errorf("%d records for %d octets, want at most %d", count, n, most)
			}
			p.quit()
		})
	}
}

// TestInMemory: a body in memory goes out like one that is read, and one of another size than LIST shows does not.
func TestInMemory(t *testing.T) {
	t.Parallel()
	body := []byte("Subject: x\r\n\r\n.dot\r\n..two\r\nend\r\n")
	want := "Subject: x\r\n\r\n..dot\r\n...two\r\nend\r\n.\r\n"
	form := pop3server.FormCRLF
	s := &stub{list: sizes{int64(len(body))}}
	s.message = func(context.Context, int) (pop3server.Body, error) {
		return pop3server.Body{R: inMemory{bytes.NewReader(body)}, Form: form, Size: int64(len(body))}, nil
	}
	p := s.server(t, nil).pipe(t).signedIn()
	for _, form = range []pop3server.Form{pop3server.FormCRLF, pop3server.FormText} {
		p.cmd("RETR 1", "+OK ")
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p.r, got); err != nil || string(got) != want {
			t.Errorf("form %d: %q, %v", form, got, err)
		}
	}
	form = pop3server.FormCRLF
	s.message = func(context.Context, int) (pop3server.Body, error) {
		return pop3server.Body{R: inMemory{bytes.NewReader(body[:9])}, Form: form, Size: int64(len(body))}, nil
	}
	p.cmd("RETR 1", "-ERR [SYS/PERM] ")
	p.quit()
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
