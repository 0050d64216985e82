// Command popfill fills a Maildir++ tree (or mbox files, or a Cyrus spool) with mail that popload
// can check on arrival. The same flags give the same messages.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/postamt/postamt/bench/internal/mailgen"
)

var (
	root   = flag.String("root", "", "directory that holds the users (required)")
	layout = flag.String("layout", "%s/Maildir", "mailbox path under -root; %s is the user")
	format = flag.String("format", "maildir", "maildir, mbox or cyrus (numbered files, to be reconstructed)")
	user   = flag.String("user", "u%d", "user name pattern")
	users  = flag.Int("users", 10, "number of users")
	msgs   = flag.Int("messages", 100, "messages in each mailbox")
	size   = flag.Int("size", 0, "octets of each message; 0 draws from the mix")
	eol    = flag.String("eol", "lf", "line ends on disk: lf or crlf")
	names  = flag.String("names", "sw", "Maildir file names: plain, s (,S=) or sw (,S=,W=)")
	sub    = flag.String("dir", "cur", "Maildir directory: cur or new")
	seed   = flag.Uint64("seed", 1, "seed")
	uid    = flag.Int("uid", -1, "owner of what is made")
	gid    = flag.Int("gid", -1, "group of what is made")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *root == "" {
		log.Fatal("popfill: -root is required")
	}
	work := make(chan int)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for u := range work {
				if err := fill(u); err != nil {
					log.Fatalf("popfill: %v", err)
				}
			}
		})
	}
	for u := range *users {
		work <- u
	}
	close(work)
	wg.Wait()
}

func fill(u int) error {
	box := filepath.Join(*root, fmt.Sprintf(*layout, fmt.Sprintf(*user, u)))
	g := mailgen.New(*seed, uint64(u))
	var put func(n int, msg []byte) error
	done := func() error { return nil }
	var made []string
	switch *format {
	case "maildir":
		for _, d := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(box, d), 0o700); err != nil {
				return err
			}
			made = append(made, filepath.Join(box, d))
		}
		made = append(made, box, filepath.Dir(box))
		put = func(n int, msg []byte) error { return maildir(box, n, msg) }
	case "cyrus":
		if err := os.MkdirAll(box, 0o700); err != nil {
			return err
		}
		made = append(made, box)
		put = func(n int, msg []byte) error { return write(filepath.Join(box, fmt.Sprintf("%d.", n+1)), msg) }
	case "mbox":
		if err := os.MkdirAll(filepath.Dir(box), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(box, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 1<<20)
		put = func(n int, msg []byte) error {
			fmt.Fprint(w, "From sender@example.org Sat Nov 21 10:00:00 2026\n")
			w.Write(onDisk(msg)) // no generated line begins with "From "
			return w.WriteByte('\n')
		}
		done = func() error {
			if err := w.Flush(); err != nil {
				return err
			}
			return f.Close()
		}
		made = append(made, box)
	default:
		return fmt.Errorf("unknown -format %q", *format)
	}
	for n := range *msgs {
		sz := *size
		if sz == 0 {
			sz = g.MixSize()
		}
		if err := put(n, g.Message(n, sz)); err != nil {
			return err
		}
	}
	if err := done(); err != nil {
		return err
	}
	for _, p := range made {
		if *uid >= 0 {
			if err := os.Chown(p, *uid, *gid); err != nil {
				return err
			}
		}
	}
	return nil
}

func maildir(box string, n int, msg []byte) error {
	disk := len(msg)
	if *eol == "lf" {
		disk -= bytes.Count(msg, []byte("\r\n"))
	}
	var name strings.Builder
	fmt.Fprintf(&name, "%d.M%06dP1.bench", 1700000000+n, n%1000000)
	if *names != "plain" {
		fmt.Fprintf(&name, ",S=%d", disk)
	}
	if *names == "sw" {
		fmt.Fprintf(&name, ",W=%d", len(msg))
	}
	if *sub == "cur" {
		name.WriteString(":2,S")
	}
	return write(filepath.Join(box, *sub, name.String()), msg)
}

func write(path string, msg []byte) error {
	if err := os.WriteFile(path, onDisk(msg), 0o600); err != nil {
		return err
	}
	if *uid >= 0 {
		return os.Chown(path, *uid, *gid)
	}
	return nil
}

func onDisk(msg []byte) []byte {
	if *eol == "lf" {
		return bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n"))
	}
	return msg
}
