package argv_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/argv"
)

func ExampleSplit() {
	words, err := argv.Split(`/usr/bin/procmail -a "Bob Smith" -d bob`)
	fmt.Println(len(words), words[2], err)
	// Output: 5 Bob Smith <nil>
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"":                   nil,
		"  a\tb  c ":         {"a", "b", "c"},
		`a "b c" 'd e'`:      {"a", "b c", "d e"},
		`a'b'"c"d`:           {"abcd"},
		`"" ''`:              {"", ""},
		`a\ b \\ \"`:         {"a b", `\`, `"`},
		`"a\"b\\c\d" '\"'`:   {`a"b\c\d`, `\"`},
		`$HOME ~ * $(id) |x`: {"$HOME", "~", "*", "$(id)", "|x"},
	} {
		got, err := argv.Split(line)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("Split(%q) = %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`'`, `"a`, `a\`, "a\x00b"} {
		if got, err := argv.Split(line); err == nil {
			t.Errorf("Split(%q) = %q, want an error", line, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b\"c" 'd e' \ f`)
	f.Fuzz(func(t *testing.T, s string) {
		words, err := argv.Split(s)
		if err != nil {
			return
		}
		// What is quoted word by word comes back.
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
		again, err := argv.Split(strings.Join(quoted, " "))
		if err != nil || !cmp.Equal(again, words) {
			t.Errorf("%q: %q, then %q, %v", s, words, again, err)
		}
	})
}
