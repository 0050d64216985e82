package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// maxFile bounds a configuration file. A long one is 5 KiB.
const maxFile = 256 << 10

// decode merges a TOML text over c. It goes on after a mistake, so that all are reported at once.
func decode(text string, c *Config, p *problems) {
	if len(text) > maxFile {
		p.add("", "is larger than %v, this is not a configuration file", Size(maxFile))
		return
	}
	lines, deep := lineIndex(text)
	if deep {
		p.add("", "has something nested more than %d levels deep, this is not a configuration file", maxNesting)
		return
	}
	tree := make(map[string]any)
	if _, err := toml.Decode(text, &tree); err != nil {
		p.errors = append(p.errors, syntaxProblem(p.file, err))
		return
	}
	p.lines = lines
	d := decoder{p}
	d.table("", tree, reflect.ValueOf(c).Elem())
}

// syntaxProblem puts the TOML module's error into our form.
func syntaxProblem(file string, err error) Problem {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return Problem{File: file, Text: "is not TOML: " + err.Error()}
	}
	text := pe.Message
	if text == "" { // an error of a value's own parser
		text = strings.TrimPrefix(pe.Error(), "toml: ")
	}
	return Problem{File: file, Line: pe.Position.Line, Key: pe.LastKey, Text: "is not TOML: " + strings.Join(strings.Fields(text), " ")}
}

type decoder struct{ p *problems }

func (d decoder) table(path string, from map[string]any, to reflect.Value) {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		at := join(path, key)
		i := fieldIndex(to.Type(), key)
		if i < 0 {
			d.p.add(at, "unknown key%s", suggest(path, key, to.Type()))
			continue
		}
		d.value(at, from[key], to.Field(i))
	}
}

func (d decoder) value(at string, from any, to reflect.Value) {
	switch to.Interface().(type) {
	case Duration:
		v, ok := textOrNumber(from)
		if !ok {
			d.mismatch(at, `a time in quotes, like "10m"`, from)
		} else if parsed, err := ParseDuration(v); err != nil {
			d.p.add(at, "%v", err)
		} else {
			to.SetInt(int64(parsed))
		}
		return
	case Size:
		v, ok := textOrNumber(from)
		if !ok {
			d.mismatch(at, `a size in quotes, like "64KiB"`, from)
		} else if parsed, err := ParseSize(v); err != nil {
			d.p.add(at, "%v", err)
		} else {
			to.SetInt(int64(parsed))
		}
		return
	}
	switch to.Kind() {
	case reflect.String:
		v, ok := from.(string)
		if !ok {
			d.mismatch(at, "text in quotes", from)
			return
		}
		to.SetString(v)
	case reflect.Bool:
		v, ok := from.(bool)
		if !ok {
			d.mismatch(at, "true or false, without quotes", from)
			return
		}
		to.SetBool(v)
	case reflect.Int:
		v, ok := from.(int64)
		if !ok || to.OverflowInt(v) {
			d.mismatch(at, "a whole number, without quotes", from)
			return
		}
		to.SetInt(v)
	case reflect.Struct:
		v, ok := from.(map[string]any)
		if !ok {
			d.mismatch(at, fmt.Sprintf("a section, written [%s] on a line of its own", at), from)
			return
		}
		d.table(at, v, to)
	case reflect.Slice:
		d.list(at, from, to)
	default:
		panic("config: field of a kind that cannot be read: " + at)
	}
}

func (d decoder) list(at string, from any, to reflect.Value) {
	var items []any
	switch v := from.(type) {
	case []any:
		items = v
	case []map[string]any:
		for _, m := range v {
			items = append(items, m)
		}
	default:
		want := fmt.Sprintf("sections, each written [[%s]] on a line of its own", at)
		if to.Type().Elem().Kind() == reflect.String {
			want = "a list of texts in brackets"
			if s, ok := from.(string); ok {
				want += ", write [" + quote(s) + "]"
			}
		}
		d.mismatch(at, want, from)
		return
	}
	if len(items) == 0 {
		to.SetZero()
		return
	}
	list := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		list.Index(i).Set(elementDefault(to.Type().Elem()))
		d.value(fmt.Sprintf("%s[%d]", at, i), item, list.Index(i))
	}
	to.Set(list)
}

func (d decoder) mismatch(at, want string, from any) {
	d.p.add(at, "wants %s, but has %s", want, kindName(from))
}

// textOrNumber reads values that have their own notation. Whole numbers need no quotes.
func textOrNumber(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func kindName(v any) string {
	switch v := v.(type) {
	case string:
		return "text"
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprint(v)
	case time.Time:
		return "a date"
	case []any, []map[string]any:
		return "a list"
	default:
		return "a section"
	}
}

// fieldIndex finds the field of a key. Keys are taken as written: "Listen" is not "listen".
func fieldIndex(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("toml") == key {
			return i
		}
	}
	return -1
}

// suggest finds what the writer of an unknown key may have meant: the same key of another section, or one spelt nearly
// so in this section.
func suggest(path, key string, t reflect.Type) string {
	fold := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	best, distance := "", len(fold)/3+1
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("toml")
		if n := editDistance(fold, name, distance); n < distance || n == distance && best == "" {
			best, distance = name, n
		}
	}
	if best != "" {
		return fmt.Sprintf(", did you mean %s?", best)
	}
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		f := root.Field(i)
		section := f.Tag.Get("toml")
		if f.Type.Kind() == reflect.Struct && section != path && fieldIndex(f.Type, fold) >= 0 {
			return fmt.Sprintf(", it belongs in the section [%s]", section)
		}
	}
	if path != "" && fieldIndex(root, fold) >= 0 {
		return ", it belongs at the top, before the first section"
	}
	return `, "postamt config doc" lists all keys`
}

// editDistance counts the letters to add, remove or replace to make b of a; it gives up above limit. Only the first 64
// octets count.
func editDistance(a, b string, limit int) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
