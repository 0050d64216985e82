package pop3server_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"sync"

	"github.com/postamt/postamt/pop3/pop3server"
)

// A folder is a backend over folders of files: one folder for each user, one file with CRLF line ends for each message,
// the file's name its unique-id.
type folder struct {
	path  string
	users map[string]string // passwords; keep hashes in earnest
	locks sync.Map
}

func (f *folder) Auth(*pop3server.Conn) pop3server.Auth {
	return pop3server.Auth{
		Password: func(_ context.Context, _, authz, user, password string) (pop3server.Identity, error) {
			if want, ok := f.users[user]; !ok || want != password || authz != "" {
				return pop3server.Identity{}, pop3server.ErrCredentials
			}
			return pop3server.Identity{User: user}, nil
		},
	}
}

func (f *folder) Open(_ context.Context, _ *pop3server.Conn, id pop3server.Identity) (pop3server.Maildrop, error) {
	if _, locked := f.locks.LoadOrStore(id.User, true); locked {
		return nil, pop3server.ErrInUse
	}
	return &folderDrop{path: filepath.Join(f.path, id.User), unlock: func() { f.locks.Delete(id.User) }}, nil
}

type folderDrop struct {
	path   string
	unlock func()
	names  []string
	sizes  []int64
}

func (d *folderDrop) Scan(context.Context) (pop3server.Listing, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		d.names, d.sizes = append(d.names, e.Name()), append(d.sizes, info.Size())
	}
	return d, nil
}

func (d *folderDrop) Len() int                           { return len(d.names) }
func (d *folderDrop) Size(i int) int64                   { return d.sizes[i] }
func (d *folderDrop) AppendUID(dst []byte, i int) []byte { return append(dst, d.names[i]...) }
func (d *folderDrop) Octets() (sum int64) {
	for _, n := range d.sizes {
		sum += n
	}
	return sum
}

func (d *folderDrop) Message(_ context.Context, i int) (pop3server.Body, error) {
	file, err := os.Open(filepath.Join(d.path, d.names[i]))
	return pop3server.Body{R: file, Form: pop3server.FormCRLF, Size: d.sizes[i]}, err
}

func (d *folderDrop) Update(_ context.Context, u pop3server.Outcome) error {
	for n, i := range u.Deleted {
		if err := os.Remove(filepath.Join(d.path, d.names[i])); err != nil {
			return &pop3server.PartialError{Removed: u.Deleted[:n], Err: err}
		}
	}
	return nil
}

func (d *folderDrop) Close() error {
	d.unlock()
	return nil
}

// A server over folders of files.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.MkdirAll(filepath.Join(dir, "alice"), 0o700); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "alice", "m1"), []byte("Subject: hello\r\n\r\n.\r\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	srv := pop3server.New(pop3server.Options{
		Backend:   &folder{path: dir, users: map[string]string{"alice": "secret"}},
		Cleartext: pop3server.CleartextLoopback,
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	conn, err := textproto.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, cmd := range []string{"", "USER alice", "PASS secret", "UIDL 1", "DELE 1", "QUIT"} {
		if cmd != "" {
			_ = conn.PrintfLine("%s", cmd)
		}
		line, err := conn.ReadLine()
		fmt.Println(line, err)
	}
	_ = conn.Close()
	_ = srv.Shutdown(context.Background())
	fmt.Println(<-served)
	// Output:
	// +OK POP3 server ready <nil>
	// +OK send PASS <nil>
	// +OK maildrop has 1 message (21 octets) <nil>
	// +OK 1 m1 <nil>
	// +OK message 1 deleted <nil>
	// +OK goodbye, maildrop is empty <nil>
	// pop3server: server closed
}
