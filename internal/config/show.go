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
	showTable(b, reflect.ValueOf(*c), reflect.ValueOf(def))
	return b.Flush()
}

func showTable(b *bufio.Writer, v, def reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		if v.Field(i).Kind() == reflect.Struct || isTables(t.Field(i).Type) {
			continue
		}
		if t.Field(i).Tag.Get("required") != "" {
			fmt.Fprintf(b, "%s = %s\n", t.Field(i).Tag.Get("toml"), literal(v.Field(i)))
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
			fmt.Fprintf(b, "\n[%s]\n", t.Field(i).Tag.Get("toml"))
			showTable(b, v.Field(i), def.Field(i))
		}
		if isTables(t.Field(i).Type) {
			for j := range v.Field(i).Len() {
				fmt.Fprintf(b, "\n[[%s]]\n", t.Field(i).Tag.Get("toml"))
				showTable(b, v.Field(i).Index(j), elementDefault(t.Field(i).Type.Elem()))
			}
		}
	}
}

// isTables tells a list that is written as sections; other lists stand on one line.
func isTables(t reflect.Type) bool {
	return t == reflect.TypeFor[[]Fetch]() || t == reflect.TypeFor[[]OAuth]()
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
