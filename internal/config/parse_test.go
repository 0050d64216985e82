package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// Each mistake, and the exact text that people and their scripts see.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, want string }{
		{"idle timeout", "\n[pop3]\nidle_timeout = \"5m\"\n", `postamt.toml:3: pop3.idle_timeout: 5m is too short, RFC 1939 asks for at least 10m`},
		{"idle timeout long", "[pop3]\nidle_timeout = \"30d\"", `postamt.toml:2: pop3.idle_timeout: 30d is too long, at most 1d: an idle session keeps its maildrop locked`},
		{"no unit", "[pop3]\nidle_timeout = 600", `postamt.toml:2: pop3.idle_timeout: "600" has no unit, write "600s", "600m", "600h" or "600d"`},
		{"unknown key, near", "[pop3]\nidle_timout = \"10m\"", `postamt.toml:2: pop3.idle_timout: unknown key, did you mean idle_timeout?`},
		{"unknown key, case", "[pop3]\nListen = []", `postamt.toml:2: pop3.Listen: unknown key, did you mean listen?`},
		{"unknown key, hyphen", "[pop3]\nlisten-tls = []", `postamt.toml:2: pop3.listen-tls: unknown key, did you mean listen_tls?`},
		{"unknown key, other section", "[pop3]\nmax_message = \"1MB\"", `postamt.toml:2: pop3.max_message: unknown key, it belongs in the section [lmtp]`},
		{"unknown key, in no section", "undelete_window = \"1d\"", `postamt.toml:1: undelete_window: unknown key, it belongs in the section [store]`},
		{"unknown key, top", "[pop3]\nhostname = \"a\"", `postamt.toml:2: pop3.hostname: unknown key, it belongs at the top, before the first section`},
		{"unknown key", "[pop3]\nunicorns = 3", `postamt.toml:2: pop3.unicorns: unknown key, "postamt config doc" lists all keys`},
		{"unknown section", "[pop]\nlast = true", `postamt.toml:1: pop: unknown key, did you mean pop3?`},
		{"odd key", "\"\\u0001\" = 1", `postamt.toml:1: "\x01": unknown key, "postamt config doc" lists all keys`},
		{"wants bool", "[pop3]\napop = \"yes\"", `postamt.toml:2: pop3.apop: wants true or false, without quotes, but has text`},
		{"wants text", "hostname = 5", `postamt.toml:1: hostname: wants text in quotes, but has the number 5`},
		{"wants number", "[limits]\nconnections = 1.5", `postamt.toml:2: limits.connections: wants a whole number, without quotes, but has the number 1.5`},
		{"wants time", "[store]\nsweep_interval = true", `postamt.toml:2: store.sweep_interval: wants a time in quotes, like "10m", but has true`},
		{"wants size", "[store]\nlisting_cache = 2026-11-22", `postamt.toml:2: store.listing_cache: wants a size in quotes, like "64KiB", but has a date`},
		{"wants list", "[pop3]\nlisten = \"127.0.0.1:110\"", `postamt.toml:2: pop3.listen: wants a list of texts in brackets, write ["127.0.0.1:110"], but has text`},
		{"wants list of texts", "domains = [\"a.example\",\n 5]", `postamt.toml:2: domains[1]: wants text in quotes, but has the number 5`},
		{"wants section", "pop3 = \"on\"", `postamt.toml:1: pop3: wants a section, written [pop3] on a line of its own, but has text`},
		{"wants sections", "[tls]\ncertificates = \"a.pem\"", `postamt.toml:2: tls.certificates: wants sections, each written [[tls.certificates]] on a line of its own, but has text`},
		{"wants text, has section", "[data]\nx = 1", `postamt.toml:1: data: wants text in quotes, but has a section`},
		{"data with a tilde", `data = "~/mail"`, `postamt.toml:1: data: "~/mail" begins with "~", which stands for no folder here: write the whole path`},
		{"data with a NUL", `data = "a\u0000b"`, `postamt.toml:1: data: "a\x00b" has a control character, write the path of a folder`},
		{"hostname", `hostname = "mail example"`, `postamt.toml:1: hostname: "mail example" is not a host name, write one like "mail.example.org"`},
		{"domain", `domains = ["you@example.org"]`, `postamt.toml:1: domains[0]: "you@example.org" is not a domain, write one like "example.org"`},
		{"domain twice", `domains = ["a.example", "A.example"]`, `postamt.toml:1: domains[1]: "A.example" is listed twice, remove one`},
		{"address", "[pop3]\nlisten = [\"127.0.0.1\"]", `postamt.toml:2: pop3.listen[0]: "127.0.0.1" is not an address, write host:port, like "127.0.0.1:1110", "[::1]:1110" or ":110" for all addresses`},
		{"address port", "[pop3]\nlisten = [\"127.0.0.1:pop3\"]", `postamt.toml:2: pop3.listen[0]: "127.0.0.1:pop3" is not an address, write host:port, like "127.0.0.1:1110", "[::1]:1110" or ":110" for all addresses`},
		{"address twice", "[pop3]\nlisten = [\":110\"]\nlisten_tls = [\":110\"]", `postamt.toml:3: pop3.listen_tls[0]: ":110" is taken by pop3.listen[0] already, an address can be used once`},
		{"cleartext", "[pop3]\ncleartext = \"sometimes\"", `postamt.toml:2: pop3.cleartext: "sometimes" is not one of "loopback", "never" or "always"`},
		{"socket without path", "[lmtp]\nlisten = [\"unix:\"]", `postamt.toml:2: lmtp.listen[0]: "unix:" names no file, write "unix:lmtp.sock" or "unix:/run/postamt/lmtp.sock"`},
		{"socket mode", "[lmtp]\nsocket_mode = \"rw\"", `postamt.toml:2: lmtp.socket_mode: "rw" is not an octal file mode, write one like "0660"`},
		{"message size", "[lmtp]\nmax_message = \"1KiB\"", `postamt.toml:2: lmtp.max_message: 1KiB is too small, at least 64KiB: RFC 5321 asks for at least 64KiB`},
		{"delimiter", "[lmtp]\nrecipient_delimiter = \"@\"", `postamt.toml:2: lmtp.recipient_delimiter: "@" cannot be used, write one sign like "+" or "-", or "" for none`},
		{"certificate without key", "[[tls.certificates]]\ncert = \"a\"\nkey = \"b\"\n[[tls.certificates]]\ncert = \"a\"", `postamt.toml:4: tls.certificates[1]: has no key, name the file of the private key`},
		{"key of the second certificate", "[[tls.certificates]]\ncert = \"a\"\nkey = \"b\"\n[[tls.certificates]]\ncert = \"a\"\nkey = \"b\"\nca = 1", `postamt.toml:7: tls.certificates[1].ca: unknown key, "postamt config doc" lists all keys`},
		{"version", "[tls]\nmin_version = \"1.1\"", `postamt.toml:2: tls.min_version: "1.1" is not one of "1.2" or "1.3"`},
		{"argon2", "[sign_in]\nargon2_memory = \"1MiB\"", `postamt.toml:2: sign_in.argon2_memory: 1MiB is too small, at least 7MiB: less makes guessing cheap, more makes each sign-in a burden`},
		{"scram", "[sign_in]\nscram_iterations = 1000", `postamt.toml:2: sign_in.scram_iterations: 1000 is too small, at least 4096: RFC 5802 asks for at least 4096, and clients pay for each`},
		{"connections", "[limits]\nconnections = 0", `postamt.toml:2: limits.connections: 0 is too small, at least 1`},
		{"handshake", "[limits]\nhandshake_timeout = \"1d\"", `postamt.toml:2: limits.handshake_timeout: 1d is too large, at most 5m`},
		{"log level", "[log]\nlevel = \"verbose\"", `postamt.toml:2: log.level: "verbose" is not one of "debug", "info", "warn" or "error"`},
		{"metrics", "[metrics]\nlisten = \"9110\"", `postamt.toml:2: metrics.listen: "9110" is not an address, write host:port, like "127.0.0.1:1110", "[::1]:1110" or ":110" for all addresses`},
		{"syntax", "[pop3]\nlast = yes", `postamt.toml:2: pop3.last: is not TOML: expected value but found "yes" instead`},
		{"key twice", "data = \"a\"\ndata = \"b\"", `postamt.toml:2: data: is not TOML: Key 'data' has already been defined.`},
		{
			"all at once, in the order of the file, each once",
			"hostname = \"-\"\n[pop3]\nidle_timeout = \"never\"\nunicorns = 1\n[log]\nlevel = \"loud\"",
			`postamt.toml:1: hostname: "-" is not a host name, write one like "mail.example.org"
postamt.toml:3: pop3.idle_timeout: "never" is not a time, write one like "10m", "36h" or "14d"
postamt.toml:4: pop3.unicorns: unknown key, "postamt config doc" lists all keys
postamt.toml:6: log.level: "loud" is not one of "debug", "info", "warn" or "error"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("postamt.toml", []byte(tt.file))
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	l, err := Parse("p.toml", []byte("[lmtp]\nlisten = [\"127.0.0.1:24\", \"[::1]:24\", \"localhost:24\",\n \":24\"]\n"+
		"[pop3]\ncleartext = \"always\"\n[metrics]\nlisten = \"192.0.2.1:9110\""))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range l.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		`p.toml:3: lmtp.listen[3]: :24 can be reached from other machines, and LMTP asks for no password: anybody there can hand in mail`,
		`p.toml:5: pop3.cleartext: "always" lets passwords cross the network unprotected, prefer "loopback" and TLS`,
		`p.toml:7: metrics.listen: 192.0.2.1:9110 can be reached from other machines, and the page asks for no password: keep it on 127.0.0.1 or behind a firewall`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTooManyProblems(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "nonsense%d = 1\n", i)
	}
	_, err := Parse("p.toml", []byte(b.String()))
	lines := strings.Split(text(err), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "p.toml: and 950 more problems" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestTooLargeFile(t *testing.T) {
	t.Parallel()
	_, err := Parse("p.toml", []byte(strings.Repeat("#\n", maxFile/2)+"#"))
	if want := "p.toml: is larger than 256KiB, this is not a configuration file"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

func TestLineIndex(t *testing.T) {
	t.Parallel()
	got, deep := lineIndex(`# comment [no.table]
a = "x # not a comment [b]"
"quoted.key".'lit' = 'it\'
text = """
one \""" [c]
two"""
lit = '''
[d]
''''
list = [ # comment
  1,
  [2, 3],
  { p = 1, q.r = 2 },
]
[table . sub] # comment
k = 2026-11-22T10:00:00Z
[[many]]
x = 1
[many.inner]
y = 1
[[many]]
x = 2
`)
	want := map[string]int{
		"a": 2, `"quoted.key"`: 3, `"quoted.key".lit`: 3, "text": 4, "lit": 7,
		"list": 10, "list[0]": 11, "list[1]": 12, "list[1][0]": 12, "list[1][1]": 12,
		"list[2]": 13, "list[2].p": 13, "list[2].q": 13, "list[2].q.r": 13,
		"table": 15, "table.sub": 15, "table.sub.k": 16,
		"many": 17, "many[0]": 17, "many[0].x": 18, "many[0].inner": 19, "many[0].inner.y": 20, "many[1]": 21, "many[1].x": 22,
	}
	if diff := cmp.Diff(want, got); diff != "" || deep {
		t.Errorf("deep: %v (-want +got)\n%s", deep, diff)
	}
}

// Texts that would take the TOML module minutes are refused before they come to it.
func TestNesting(t *testing.T) {
	t.Parallel()
	const want = "p.toml: has something nested more than 32 levels deep, this is not a configuration file"
	for name, text := range map[string]string{
		"arrays":        "x = " + strings.Repeat("[", maxFile-10),
		"inline tables": "x = " + strings.Repeat("{a=", 80_000),
		"a key":         strings.Repeat("a.", 120_000) + "a = 1",
		"a header":      "[" + strings.Repeat("a.", 120_000) + "a]",
	} {
		start := time.Now()
		_, err := Parse("p.toml", []byte(text))
		if err == nil || err.Error() != want || time.Since(start) > 10*time.Second {
			t.Errorf("%s: after %v: %v", name, time.Since(start), err)
		}
	}
	ok := "x = " + strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting)
	if _, err := Parse("p.toml", []byte(ok)); err == nil || err.Error() == want {
		t.Errorf("%d levels: %v", maxNesting, err)
	}
}

// No input makes Parse panic, a good one survives Show, and each value of any TOML text has a line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(DocTOML()))
	f.Add([]byte("a = \"x\"\n\"b.c\".'d' = [1, [2], {p = 1, q.r = '''x'''}]\n[[t]]\n[t.u]\nx = \"\"\"\n\\\"\"\"\"\"\n[[t]]\n[t.u]\ny = 1"))
	f.Add([]byte("[[tls.certificates]]\ncert = 'a'\nkey = 'b'"))
	f.Add([]byte("tls.certificates = [{cert = 'a', key = 'b'}]\nx = " + strings.Repeat("[", 100) + strings.Repeat("]", 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := Parse("f.toml", b); err == nil {
			var shown strings.Builder
			if err := l.Show(&shown); err != nil {
				t.Fatal(err)
			}
			again, err := Parse("shown.toml", []byte(shown.String()))
			if err != nil {
				t.Fatalf("what Show wrote is refused: %v\n%s", err, shown.String())
			}
			if diff := cmp.Diff(l.Config, again.Config); diff != "" {
				t.Errorf("what Show wrote reads otherwise (-want +got)\n%s", diff)
			}
		}
		lines, deep := lineIndex(string(b))
		if deep {
			return
		}
		tree := make(map[string]any)
		if _, err := toml.Decode(string(b), &tree); err != nil {
			return
		}
		most := strings.Count(string(b), "\n") + 1
		all := paths("", tree, 0)
		for _, path := range all {
			if n := lines[path]; (n < 1 || n > most) && !renumbered(path, all, lines) {
				t.Errorf("%s is on line %d of %d", path, n, most)
			}
		}
	})
}

// renumbered tells whether the module has left out elements of an array around path: of [[], {a = 1}] it gives the table
// alone.
func renumbered(path string, all []string, lines map[string]int) bool {
	for i, c := range path {
		if c != '[' {
			continue
		}
		given, there := 0, 0
		for slices.Contains(all, path[:i]+"["+strconv.Itoa(given)+"]") {
			given++
		}
		for lines[path[:i]+"["+strconv.Itoa(there)+"]"] > 0 {
			there++
		}
		if given < there {
			return true
		}
	}
	return false
}

// paths lists every value of a tree, but the ones nested too deeply.
func paths(at string, v any, depth int) (all []string) {
	if at != "" {
		all = append(all, at)
	}
	if depth >= maxNesting {
		return all
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			all = append(all, paths(join(at, k), x, depth+1)...)
		}
	case []any:
		for i, x := range v {
			all = append(all, paths(fmt.Sprintf("%s[%d]", at, i), x, depth+1)...)
		}
	case []map[string]any:
		for i, x := range v {
			all = append(all, paths(fmt.Sprintf("%s[%d]", at, i), x, depth+1)...)
		}
	}
	return all
}
