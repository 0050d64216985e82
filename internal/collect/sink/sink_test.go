package sink_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/mailfile"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
)

// kinds are the safe sinks, which are run in processes that crash.
var kinds = map[string]sinktest.Harness{
	"store":       {Open: openStore, Read: readStore},
	"maildir":     {Open: openMaildir(sink.MaildirOptions{}), Read: readFiles(mailfile.Maildir, "Maildir"), Exact: true},
	"maildirCRLF": {Open: openMaildir(sink.MaildirOptions{CRLF: true}), Read: readFiles(mailfile.Maildir, "Maildir"), Exact: true},
	"mbox":        {Open: openMbox(sink.MboxOptions{}), Read: readFiles(mailfile.Mbox, "mbox")},
	"multidrop":   {Open: openMultidrop, Read: readMultidrop, Exact: true},
	"mboxCRLF":    {Open: openMbox(sink.MboxOptions{CRLF: true}), Read: readFiles(mailfile.Mbox, "mbox")},
}

func TestMain(m *testing.M) {
	sinktest.Child(kinds)
	goleak.VerifyTestMain(m)
}

// A closing sink closes what is under it as well.
type closing struct {
	collect.Sink
	under func() error
}

func (c closing) Close() error { return errors.Join(c.Sink.Close(), c.under()) }

func openMailstore(dir string) (mailstore.Store, func() error, error) {
	ctx := context.Background()
	cat, err := catalog.Open(ctx, filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		return nil, nil, err
	}
	folder, err := body.Dir(filepath.Join(dir, "mail"))
	if err != nil {
		return nil, nil, errors.Join(err, cat.Close())
	}
	store, err := sqlstore.Open(ctx, cat, body.NewDisk(folder, body.Options{}), filepath.Join(dir, "locks"), sqlstore.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, cat.Close())
	}
	return store, func() error { return errors.Join(store.Close(), cat.Close()) }, nil
}

const bob = 7

func openStore(dir string) (collect.Sink, error) {
	store, closeStore, err := openMailstore(dir)
	if err != nil {
		return nil, err
	}
	return closing{sink.NewStore(store, mailstore.Recipient{Drop: bob, Address: "bob@example.org"}, "bob"), closeStore}, nil
}

func readStore(dir string) (texts []string, err error) {
	store, closeStore, err := openMailstore(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	drop, err := store.Open(context.Background(), bob, mailstore.View{})
	if err != nil {
		return nil, err
	}
	defer drop.Close()
	for i := range drop.Len() {
		b, err := drop.Body(context.Background(), i)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(b.R)
		if err = errors.Join(err, b.R.Close()); err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

func openMaildir(opt sink.MaildirOptions) func(string) (collect.Sink, error) {
	return func(dir string) (collect.Sink, error) { return sink.NewMaildir(filepath.Join(dir, "Maildir"), opt) }
}

func openMbox(opt sink.MboxOptions) func(string) (collect.Sink, error) {
	return func(dir string) (collect.Sink, error) { return sink.NewMbox(filepath.Join(dir, "mbox"), opt) }
}

// readFiles reads a Maildir or an mbox as our own import does.
func readFiles(format mailfile.Format, name string) func(string) ([]string, error) {
	return func(dir string) (texts []string, err error) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		src, err := mailfile.Open(format, path)
		if err != nil {
			return nil, err
		}
		defer src.Close()
		for m, err := range src.Messages(context.Background()) {
			if err != nil {
				return nil, err
			}
			r, err := m.Open()
			if err != nil {
				return nil, err
			}
			text, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return nil, err
			}
			texts = append(texts, wired(text))
		}
		return texts, nil
	}
}

// wired makes the line ends of a file CRLF again.
func wired(text []byte) string {
	var out strings.Builder
	for line := range bytes.Lines(text) {
		if n := len(line); line[n-1] == '\n' && (n < 2 || line[n-2] != '\r') {
			out.Write(line[:n-1])
			out.WriteString("\r\n")
		} else {
			out.Write(line)
		}
	}
	return out.String()
}

func TestSinks(t *testing.T) {
	t.Parallel()
	for name, h := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, h)
		})
	}
	t.Run("pipe", func(t *testing.T) {
		t.Parallel()
		sinktest.Run(t, sinktest.Harness{Open: openPipe(sink.PipeOptions{CRLF: true}), Read: readFolder, Exact: true})
	})
	t.Run("lmtp", func(t *testing.T) {
		t.Parallel()
		sinktest.Run(t, sinktest.Harness{Open: openServer(true), Read: readFolder})
	})
	t.Run("gmail", func(t *testing.T) {
		t.Parallel()
		sinktest.Run(t, sinktest.Harness{Open: openGmail, Read: readFolder, Exact: true})
	})
	t.Run("smtp", func(t *testing.T) {
		t.Parallel()
		sinktest.Run(t, sinktest.Harness{Open: openServer(false), Read: readFolder})
	})
}

func TestCrash(t *testing.T) {
	// Of the store's many calls only some: it has a suite of its own.
	for name, stride := range map[string]int{"store": 5, "maildir": 1, "mbox": 1} {
		t.Run(name, func(t *testing.T) { sinktest.Crash(t, name, kinds[name], stride) })
	}
}

// Not parallel: it measures memory.
func TestLarge(t *testing.T) {
	all := map[string]func(string) (collect.Sink, error){
		"pipe": openPipe(sink.PipeOptions{}), "lmtp": openServer(true), "smtp": openServer(false),
	}
	for name, h := range kinds {
		all[name] = h.Open
	}
	for name, open := range all {
		t.Run(name, func(t *testing.T) {
			s, err := open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sinktest.Large(t, s, 64<<20)
		})
	}
}

// openPipe pipes to a shell script that makes a file of each message.
func openPipe(opt sink.PipeOptions) func(string) (collect.Sink, error) {
	return func(dir string) (collect.Sink, error) {
		opt := opt // Sinks are opened in parallel.
		opt.Dir = dir
		return sink.NewPipe([]string{"sh", "-c", `f=$(mktemp part.XXXXXX) && cat > "$f" && mv "$f" "done.$f"`}, opt)
	}
}

func readFolder(dir string) (texts []string, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "done.*"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, err
}
