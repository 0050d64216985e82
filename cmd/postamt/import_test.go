package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/faultfs/sysfault"
	"github.com/postamt/postamt/internal/mailfile"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// A moving is a data folder with one account, bob, and mail that is to move there.
type moving struct {
	*daemon
	want []string // the messages' first lines, in order
}

func newMoving(t *testing.T) *moving {
	t.Helper()
	m := &moving{daemon: newDaemon(t)}
	m.must(t, "", "account", "add", "--no-password", "bob")
	return m
}

// copied returns the same in a folder of its own.
func (m *moving) copied(t *testing.T) *moving {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &moving{daemon: &daemon{dir: dir, config: filepath.Join(dir, "postamt.toml")}, want: m.want}
	c.configure(t, "")
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(filepath.Join(m.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	return c
}

// mbox writes messages of these sizes, in octets, into one file.
func (m *moving) mbox(t *testing.T, sizes ...int) string {
	t.Helper()
	path := filepath.Join(m.dir, "in.mbox")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, size := range sizes {
		first := fmt.Sprintf("Subject: %d", i)
		m.want = append(m.want, first)
		line := strings.Repeat("x", 70) + "\n"
		_, err := fmt.Fprintf(f, "From a@example.org Sat Nov 21 10:00:00 2026\n%s\n\n", first)
		for n := 0; n < size && err == nil; n += len(line) {
			_, err = f.WriteString(line)
		}
		if _, err = f.WriteString("\n"); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// vault opens the data folder.
func (m *moving) vault(t *testing.T) *office.Vault {
	t.Helper()
	l, err := config.Load(m.config)
	if err != nil {
		t.Fatal(err)
	}
	v, err := office.OpenVault(t.Context(), &l.Config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// there returns the first lines of bob's messages.
func (m *moving) there(t *testing.T) []string {
	t.Helper()
	v := m.vault(t)
	defer v.Close()
	drop, err := v.Store.Open(t.Context(), m.drop(t, v), mailstore.View{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	defer drop.Close()
	lines := make([]string, drop.Len())
	for i := range lines {
		b, err := drop.Body(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(b.R)
		if err = errors.Join(err, b.R.Close()); err != nil {
			t.Fatal(err)
		}
		first, _, _ := bytes.Cut(text, []byte("\r\n"))
		lines[i] = string(first)
	}
	return lines
}

func (m *moving) drop(t *testing.T, v *office.Vault) mailstore.DropID {
	t.Helper()
	bob, err := v.Accounts.Lookup(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	return mailstore.DropID(bob.ID)
}

// sized returns n sizes of small messages, with a larger one every 50.
func sized(n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		if sizes[i] = 200; i%50 == 20 {
			sizes[i] = 100_000
		}
	}
	return sizes
}

// Wherever an import is killed or its disk fails, what it has stored is the beginning of the source, in order, and it says
// of no message that it is stored which is not. The next run takes the rest, and nothing twice.
func TestImportBroken(t *testing.T) {
	t.Parallel()
	needBroken(t)
	base := newMoving(t)
	mbox := base.mbox(t, sized(2*mailstore.MaxBatch+20)...)
	points := 3
	if testing.Short() {
		points = 2
	}
	for name, plan := range map[string]sysfault.Plan{
		"Kill":   {},
		"ENOSPC": {Errno: syscall.ENOSPC, Stay: true},
		"EIO":    {Errno: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := func(m *moving, plan sysfault.Plan) (sysfault.Result, importSummary, string) {
				plan.Folder = filepath.Join(m.dir, "data")
				result, said := m.broken(t, plan, "import", "mbox", "--json", mbox, "bob")
				return result, summaryIn(t, said), said
			}
			dry, _, _ := broken(base.copied(t), sysfault.Plan{Errno: plan.Errno})
			calls := len(dry.Calls)
			some := false // a run was broken between its first message and its last
			for i := 0; i < points || !some && i < 10*points; i++ {
				plan.At = 1 + (2*i+1)*calls/(2*points)
				if i >= points { // none was in the middle, for no two runs are the same: some more there
					plan.At = 1 + calls/4 + (i-points)*calls/(18*points)
				}
				m := base.copied(t)
				result, sum, said := broken(m, plan)
				if !result.Broken {
					continue // it took fewer calls this time
				}
				stored := m.there(t)
				if diff := cmp.Diff(base.want[:len(stored)], stored); diff != "" {
					t.Fatalf("broken at %d: not the beginning of the source: %s", plan.At, diff)
				}
				some = some || len(stored) > 0 && len(stored) < len(base.want)
				// Of the batch whose commit failed it cannot know: a sync that fails may come after all was written.
				doubtful := len(stored) - sum.New
				if doubtful < 0 || plan.Errno == syscall.ENOSPC && doubtful > mailstore.MaxBatch {
					t.Errorf("broken at %d: %d messages are there, it said %d\n%s", plan.At, len(stored), sum.New, said)
				}
				if again := regexp.MustCompile("make room and try again|run it again to go on"); plan.Errno == syscall.ENOSPC &&
					len(stored) < len(base.want) && !again.MatchString(said) {
					t.Errorf("broken at %d: it said %s", plan.At, said)
				}
				if err := json.Unmarshal([]byte(m.must(t, "", "import", "mbox", "--json", mbox, "bob")), &sum); err != nil {
					t.Fatal(err)
				}
				if sum.There != len(stored) || sum.New != len(base.want)-len(stored) {
					t.Errorf("broken at %d: %d were there, the next run says %+v", plan.At, len(stored), sum)
				}
				if diff := cmp.Diff(base.want, m.there(t)); diff != "" {
					t.Errorf("broken at %d, after the next run: %s", plan.At, diff)
				}
				if out, err := m.postamt(t, "", "store", "check"); err != nil {
					t.Errorf("broken at %d: %v: %s", plan.At, err, out)
				}
			}
			if !some {
				t.Error("no run was broken in the middle: this proved little")
			}
		})
	}
}

// A message that cannot be read is named, and those around it are there, in order.
func TestImportLeavesOutDamaged(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	mail := filepath.Join(m.dir, "Mail", "cur")
	if err := os.MkdirAll(mail, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 2*mailstore.MaxBatch + 20 {
		name, first := filepath.Join(mail, fmt.Sprint(1000+i)), fmt.Sprintf("Subject: %d", i)
		var err error
		switch i {
		case 0, mailstore.MaxBatch + 7, 2*mailstore.MaxBatch + 19:
			err = os.Symlink("/etc/hostname", name)
		default:
			err = os.WriteFile(name, []byte(first+"\n\ntext\n"), 0o600)
			m.want = append(m.want, first)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []importSummary{
		{New: len(m.want), Damaged: 3},
		{There: len(m.want), Damaged: 3},
	} {
		out, err := m.postamt(t, "", "import", "maildir", filepath.Dir(mail), "bob")
		for _, line := range []string{
			fmt.Sprintf("\nnew %19d ", want.New),
			fmt.Sprintf("\nalready there %9d", want.There),
			fmt.Sprintf("\ndamaged %15d", want.Damaged),
			"left out: cur/1000: it cannot be read: it is not a regular file\n",
			"left out: cur/1071: it cannot be read: it is not a regular file\n",
			"left out: cur/1147: it cannot be read: it is not a regular file\n",
			"3 messages could not be taken over\n",
		} {
			if err == nil || !strings.Contains(out, line) {
				t.Errorf("there is no %q in what it said, %v:\n%s", line, err, out)
			}
		}
		if diff := cmp.Diff(m.want, m.there(t)); diff != "" {
			t.Error(diff)
		}
	}
}

// SIGINT ends an import in good order: it says how many it has stored, and that it can be run again.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	mbox := m.mbox(t, slices.Repeat([]int{5_000}, 1000)...)
	v := m.vault(t)
	defer v.Close()
	cmd := exec.Command("postamt", "import", "mbox", mbox, "bob", "--config", m.config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	var err error
	for running := true; running; {
		select {
		case <-poll.C:
			if u, uerr := v.Store.Usage(t.Context(), m.drop(t, v)); uerr != nil || u.Messages > 0 {
				_ = cmd.Process.Signal(syscall.SIGINT)
				poll.Stop()
			}
		case err = <-ended:
			running = false
		}
	}
	stored := len(m.there(t))
	t.Logf("interrupted after %d messages", stored)
	said := fmt.Sprintf("\nnew %19d ", stored)
	if stored < len(m.want) && (err == nil || !strings.Contains(out.String(), "interrupted; run it again to go on, nothing is taken twice")) ||
		!strings.Contains(out.String(), said) {
		t.Errorf("%d messages are there, and it said, %v:\n%s", stored, err, out.String())
	}
	m.must(t, "", "import", "mbox", mbox, "bob")
	if diff := cmp.Diff(m.want, m.there(t)); diff != "" {
		t.Error(diff)
	}
}

// A large message among small ones is not held in memory.
func TestImportMemory(t *testing.T) {
	// Not parallel: it counts what is allocated.
	m := newMoving(t)
	sizes := slices.Repeat([]int{200}, 2*mailstore.MaxBatch)
	sizes[mailstore.MaxBatch+10] = 32 << 20
	source, err := mailfile.Open(mailfile.Mbox, m.mbox(t, sizes...))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	v := m.vault(t)
	defer v.Close()
	var notes bytes.Buffer
	quiet := terminal.New(&notes, func(string) string { return "" })
	im := &importer{
		app: &app{out: io.Discard, errs: &notes, term: quiet, notes: quiet},
		in:  intake{store: v.Store, to: mailstore.Recipient{Drop: m.drop(t, v), Address: "bob"}},
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := im.run(t.Context(), source, false); err != nil {
		t.Fatalf("%v\n%s", err, notes.String())
	}
	runtime.ReadMemStats(&after)
	if im.in.stored != len(sizes) || im.in.done != source.Octets() {
		t.Errorf("%d messages and %d of %d octets are durable", im.in.stored, im.in.done, source.Octets())
	}
	grown := after.TotalAlloc - before.TotalAlloc // of all that was ever allocated
	t.Logf("%d octets allocated", grown)
	if most := uint64(2*mailstore.MaxBatch*64<<10 + 16<<20); grown > most {
		t.Errorf("%d octets were allocated, want at most %d: two batches of blocks, and what the catalog takes", grown, most)
	}
}

// tracedEnv tells the program that it is traced.
const tracedEnv = "POSTAMT_TEST_TRACED"

// needBroken skips the test where system calls cannot be broken.
func needBroken(t *testing.T) {
	t.Helper()
	if err := sysfault.Supported(); err != nil {
		if os.Getenv("POSTAMT_PEERS") == "required" {
			t.Fatalf("nothing can be broken here: %v", err)
		}
		t.Skipf("skipped, nothing was broken: %v", err)
	}
}

// broken runs a command in a process in which a system call is broken, and returns what became of it and all it said.
func (m *moving) broken(t *testing.T, plan sysfault.Plan, args ...string) (sysfault.Result, string) {
	t.Helper()
	exe, err := exec.LookPath("postamt")
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	args = append(args, "--config", m.config)
	result, err := sysfault.Run(t.Context(), plan, exe, args, &os.ProcAttr{
		Env: append(os.Environ(), tracedEnv+"=1"), Files: []*os.File{nil, out, out},
	})
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !result.Broken && result.Exit != 0 {
		t.Fatalf("nothing was broken, exit status %d\n%s", result.Exit, said)
	}
	return result, string(said)
}

// summaryIn returns the summary among what an import said, a zero one if there is none.
func summaryIn(t *testing.T, said string) (sum importSummary) {
	t.Helper()
	if i := strings.IndexByte(said, '{'); i >= 0 {
		if err := json.NewDecoder(strings.NewReader(said[i:])).Decode(&sum); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	return sum
}
