package telemetry

import (
	"context"
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"syscall"
	"unicode/utf8"
)

// LogOptions says how the log looks.
type LogOptions struct {
	// Format is "text" or "json".
	Format string
	// Level is the least serious level that is written: "debug", "info" (also meant by ""), "warn" or "error".
	Level string
	// Journal leaves out times, which the journal notes itself, and marks lines with their priority (sd-daemon(3)).
	Journal bool
}

// Log is a logger whose level can be changed while it runs. Its methods may be called concurrently.
type Log struct {
	*slog.Logger
	level *slog.LevelVar
}

// NewLog returns a logger that writes one line at a time to w.
func NewLog(w io.Writer, opt LogOptions) *Log {
	level := new(slog.LevelVar)
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: replace(opt.Journal)}
	handler := func(w io.Writer) slog.Handler {
		if opt.Format == "json" {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}
	l := &Log{level: level}
	if opt.Journal {
		l.Logger = slog.New(newJournal(w, handler))
	} else {
		l.Logger = slog.New(handler(w))
	}
	l.SetLevel(opt.Level)
	return l
}

// SetLevel changes the level; see LogOptions.Level. An unknown one is "info".
func (l *Log) SetLevel(level string) {
	var parsed slog.Level
	if parsed.UnmarshalText([]byte(level)) != nil {
		parsed = slog.LevelInfo
	}
	l.level.Set(parsed)
}

// Journal reports whether a file, like os.Stderr, goes to systemd's journal (systemd.exec(5), JOURNAL_STREAM).
func Journal(getenv func(string) string, f *os.File) bool {
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

const (
	redacted = "[secret]"
	// maxValue is how much of one value is written. A line is cut nowhere else, so values are what bounds it.
	maxValue = 1024
	// maxStack is the same for the stack of a panic, attribute "stack": it is long, and has numbers only.
	maxStack = 16 << 10
)

// secretParts are parts of attribute names, secretNames whole ones, that promise a secret or content.
var (
	secretParts = []string{"passw", "secret", "token", "credential", "private_key"}
	secretNames = []string{"pass", "response", "challenge", "args", "argument", "body", "content"}
)

func replace(journal bool) func([]string, slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 {
			switch a.Key {
			case slog.TimeKey:
				if journal {
					return slog.Attr{}
				}
				return a
			case slog.LevelKey:
				return a
			}
		}
		a.Value = safe(a.Key, a.Value)
		return a
	}
}

// safe returns the value as it may be written.
func safe(key string, v slog.Value) slog.Value {
	if holdsSecret(key) {
		return slog.StringValue(redacted)
	}
	most := maxValue
	if key == "stack" {
		most = maxStack
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(cut(v.String(), most))
	case slog.KindAny:
		return slog.StringValue(cut(safeText(v.Any()), most))
	}
	return v
}

func holdsSecret(key string) bool {
	key = strings.ToLower(key)
	for _, part := range secretParts {
		if strings.Contains(key, part) {
			return true
		}
	}
	for _, name := range secretNames {
		if key == name {
			return true
		}
	}
	return false
}

// safeText formats what says itself how it wants to be shown, and simple lists. Of everything else, whose fields may
// hold anything, only the type is shown.
func safeText(v any) string {
	switch x := v.(type) {
	case nil:
		return "<nil>"
	case error:
		if nilPointer(v) {
			return "<nil>"
		}
		return x.Error()
	case []byte:
		return fmt.Sprintf("[%d octets]", len(x))
	case []string:
		return strings.Join(x, ",")
	case fmt.Stringer:
		if nilPointer(v) {
			return "<nil>"
		}
		return x.String()
	case encoding.TextMarshaler:
		if nilPointer(v) {
			return "<nil>"
		}
		b, err := x.MarshalText()
		if err != nil {
			return fmt.Sprintf("[%T]", v)
		}
		return string(b)
	}
	switch reflect.TypeOf(v).Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("[%T]", v)
}

func nilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s...[%d octets]", s[:end], len(s))
}

// journal marks each line with its priority.
type journal struct {
	debug, info, warn, err slog.Handler
}

func newJournal(w io.Writer, handler func(io.Writer) slog.Handler) *journal {
	return &journal{
		debug: handler(prefix{w, "<7>"}),
		info:  handler(prefix{w, "<6>"}),
		warn:  handler(prefix{w, "<4>"}),
		err:   handler(prefix{w, "<3>"}),
	}
}

// prefix puts a text before each write, in one write.
type prefix struct {
	w    io.Writer
	text string
}

func (p prefix) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.text), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

func (j *journal) at(level slog.Level) slog.Handler {
	switch {
	case level >= slog.LevelError:
		return j.err
	case level >= slog.LevelWarn:
		return j.warn
	case level >= slog.LevelInfo:
		return j.info
	}
	return j.debug
}

func (j *journal) Enabled(ctx context.Context, level slog.Level) bool {
	return j.info.Enabled(ctx, level) // they share the level
}

func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	return j.at(r.Level).Handle(ctx, r)
}

func (j *journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return j.each(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (j *journal) WithGroup(name string) slog.Handler {
	return j.each(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (j *journal) each(f func(slog.Handler) slog.Handler) slog.Handler {
	return &journal{debug: f(j.debug), info: f(j.info), warn: f(j.warn), err: f(j.err)}
}
