package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

type person struct{ Name, Password string }

type color int

// Whatever is thrown at the log, "hunter2" is not in it.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const hunter2 = "hunter2"
	attrs := []any{
		"password", hunter2, "Password", hunter2, "new_password", hunter2, "passwd", hunter2, "pass", hunter2,
		"client_secret", hunter2, "access_token", hunter2, "credentials", hunter2,
		"response", hunter2, "challenge", hunter2, "args", hunter2, "body", hunter2, "content",
		[]string{hunter2},
		slog.Group("request", "password", hunter2, slog.Group("deeper", "token", hunter2)),
		"raw", []byte(hunter2), "struct",
		person{"a", hunter2},
		"pointer", &person{"a", hunter2},
		"map",
		map[string]string{"a": hunter2},
		"slice",
		[]person{{"a", hunter2}},
		"any",
		[]any{hunter2},
	}
	for _, format := range []string{"text", "json"} {
		for _, journal := range []bool{false, true} {
			var b bytes.Buffer
			l := NewLog(&b, LogOptions{Format: format, Journal: journal})
			l.Info("m", attrs...)
			l.With(attrs...).WithGroup("g").Warn("m", attrs...)
			if strings.Contains(b.String(), hunter2) {
				t.Errorf("%s, journal %v: a secret is in %s", format, journal, b.String())
			}
			if n := strings.Count(b.String(), redacted); n < 3*14 {
				t.Errorf("%s, journal %v: %d marks of secrets", format, journal, n)
			}
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	var nilError *os.PathError
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"plain", "plain"},
		{"two\nlines \x1b[31m", `"two\nlines \x1b[31m"`},
		{5, "5"},
		{color(3), "3"},
		{time.Second, "1s"},
		{netip.MustParseAddr("192.0.2.1"), "192.0.2.1"},
		{errors.New("no space"), `"no space"`},
		{error(nilError), "<nil>"},
		{nil, "<nil>"},
		{[]byte("abc"), `"[3 octets]"`},
		{[]string{"a", "b"}, "a,b"},
		{person{}, "[telemetry.person]"},
		{strings.Repeat("x", maxValue), strings.Repeat("x", maxValue)},
		{strings.Repeat("x", maxValue-1) + "\u00e4", `"` + strings.Repeat("x", maxValue-1) + `...[1025 octets]"`},
		{errors.New(strings.Repeat("x", 1<<20)), `"` + strings.Repeat("x", maxValue) + `...[1048576 octets]"`},
	} {
		var b bytes.Buffer
		NewLog(&b, LogOptions{Journal: true}).Info("m", "v", tt.value)
		if want := "<6>level=INFO msg=m v=" + tt.want + "\n"; b.String() != want {
			t.Errorf("%T:\n got %.200q\nwant %.200q", tt.value, b.String(), want)
		}
	}
}

func TestStackIsKept(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	NewLog(&b, LogOptions{}).Error("panic", "stack", strings.Repeat("x", 10*maxValue), "other", strings.Repeat("y", 2*maxValue))
	NewLog(&b, LogOptions{}).Error("panic", "stack", strings.Repeat("z", 2*maxStack))
	if x, y, z := strings.Count(b.String(), "x"), strings.Count(b.String(), "y"), strings.Count(b.String(), "z"); x != 10*maxValue || y != maxValue || z != maxStack {
		t.Errorf("%d, %d and %d octets are kept", x, y, z)
	}
}

func TestJournalPriorities(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := NewLog(&b, LogOptions{Format: "text", Level: "debug", Journal: true})
	l.Debug("d")
	l.Info("i")
	l.Warn("w")
	l.WithGroup("g").With("a", 1).Error("e", "b", 2)
	want := "<7>level=DEBUG msg=d\n<6>level=INFO msg=i\n<4>level=WARN msg=w\n<3>level=ERROR msg=e g.a=1 g.b=2\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	NewLog(&b, LogOptions{Format: "json"}).Info("session", "user", "kim", "octets", 12)
	var got struct {
		Time             time.Time
		Level, Msg, User string
		Octets           int
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Time.IsZero() || got.Level != "INFO" || got.Msg != "session" || got.User != "kim" || got.Octets != 12 {
		t.Errorf("got %s", b.String())
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	for _, journal := range []bool{false, true} {
		var b bytes.Buffer
		l := NewLog(&b, LogOptions{Level: "warn", Journal: journal})
		child := l.With("a", 1)
		child.Info("hidden")
		l.SetLevel("debug")
		child.Debug("shown")
		l.SetLevel("nonsense")
		child.Debug("hidden")
		child.Info("shown")
		if got := b.String(); strings.Contains(got, "hidden") || strings.Count(got, "shown") != 2 {
			t.Errorf("journal %v: %s", journal, got)
		}
	}
}

func TestUnderJournal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		"": false, "1:2": false, fmt.Sprintf("%d:%d", st.Dev, st.Ino): true,
	} {
		if got := Journal(func(string) string { return stream }, f); got != want {
			t.Errorf("JOURNAL_STREAM=%q: %v", stream, got)
		}
	}
}
