package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Show writes the configuration as TOML that Parse reads back. A line that differs from the default says so.
func (c *Config) Show(w io.Writer) error {
	def := Default()
	if err := def.Resolve(""); err != nil {
		def = Default() // no home folder: data has no default
	}
	b := bufio.NewWriter(w)
	showTable(b, "", reflect.ValueOf(*c), reflect.ValueOf(def))
	return b.Flush()
}

func showTable(b *bufio.Writer, name string, v, def reflect.Value) {
	if name != "" {
		fmt.Fprintf(b, "\n[%s]\n", name)
	}
	t := v.Type()
	for i := range t.NumField() {
		if v.Field(i).Kind() == reflect.Struct {
			continue
		}
		text, usual := literal(v.Field(i)), literal(def.Field(i))
		fmt.Fprintf(b, "%s = %s", t.Field(i).Tag.Get("toml"), text)
		if text != usual {
			fmt.Fprintf(b, " # default: %s", usual)
		}
		b.WriteByte('\n')
	}
	for i := range t.NumField() {
		if v.Field(i).Kind() == reflect.Struct {
			showTable(b, t.Field(i).Tag.Get("toml"), v.Field(i), def.Field(i))
		}
	}
}

// literal returns a value as TOML on one line.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Duration, Size:
		return quote(fmt.Sprint(x))
	case string:
		return quote(x)
	case Certificate:
		return "{ cert = " + quote(x.Cert) + ", key = " + quote(x.Key) + " }"
	}
	if v.Kind() != reflect.Slice {
		return fmt.Sprint(v.Interface())
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = literal(v.Index(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// quote returns a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
