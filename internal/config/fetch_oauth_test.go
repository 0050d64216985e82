package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tokens is the common case.
const tokens = `[[fetch]]
name = "work"
url = "pop3s://bob%40example.org@outlook.office365.com"
oauth = "microsoft"
to = ["store:bob"]
[[oauth]]
name = "microsoft"
provider = "outlook"
client_id = "11111111-2222-3333-4444-555555555555"
`

func TestOAuthFewLinesAreEnough(t *testing.T) {
	t.Parallel()
	l, err := Parse("p", []byte(tokens))
	if err != nil || len(l.Warnings) > 0 {
		t.Fatalf("%v %v", err, l.Warnings)
	}
	want := DefaultOAuth()
	want.Name, want.Provider, want.ClientID = "microsoft", "outlook", "11111111-2222-3333-4444-555555555555"
	if diff := cmp.Diff(&want, l.FindOAuth(l.Fetch[0].OAuth)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if l.FindOAuth("") != nil || l.FindOAuth("other") != nil {
		t.Error("found what is not there")
	}
	var shown strings.Builder
	if err := l.Show(&shown); err != nil {
		t.Fatal(err)
	}
	again, err := Parse("shown", []byte(shown.String()))
	if err != nil || !cmp.Equal(again.OAuth, l.OAuth) {
		t.Errorf("what is shown is not what was read: %v", err)
	}
}

// Each mistake in an [[oauth]], with its line and mend.
func TestOAuthMistakes(t *testing.T) {
	t.Parallel()
	const sources = `"file:PATH", "command:PROGRAM", "env:NAME", "credential:NAME", "keyring", "netrc" or "prompt"`
	for _, tt := range []struct{ name, replace, with, want string }{
		{"reference", `oauth = "microsoft"`, `oauth = "google"`, `4: fetch[0].oauth: there is no [[oauth]] with the name "google", write one`},
		{"password, too", `to =`, "password = \"env:X\"\nto =", `5: fetch[0].password: does not go with oauth, remove one of them`},
		{"no TLS", `pop3s://`, `pop3://`, ``},
		{"no TLS asked for", `to =`, "tls = \"none\"\nto =", `5: fetch[0].tls: "none" does not go with pop3s://, remove it or write pop3://` + "\n" + `p:5: fetch[0].tls: "none" does not go with oauth: a token is never sent without TLS`},
		{"another mechanism", `to =`, "auth = [\"XOAUTH2\", \"PLAIN\"]\nto =", `5: fetch[0].auth[1]: "PLAIN" does not go with oauth, write "OAUTHBEARER" or "XOAUTH2", or nothing`},
		{"no name", `name = "microsoft"`, ``, `6: oauth[0]: has no name, give it one like name = "google"` + "\n" + `p:4: fetch[0].oauth: there is no [[oauth]] with the name "microsoft", write one`},
		{"name", `"microsoft"`, `"a/b"`, `7: oauth[0].name: "a/b" cannot be used, write letters, digits, ".", "-" and "_", at most 64`},
		{"provider", `"outlook"`, `"hotmail"`, `8: oauth[0].provider: "hotmail" is not one of "gmail", "outlook" or "yahoo"`},
		{"no provider", `provider = "outlook"`, ``, `6: oauth[0]: says nothing of the provider, write provider = "gmail" (or "outlook", "yahoo"), or issuer = "https://..."`},
		{"no client_id", `client_id =`, `tenant =`, `6: oauth[0]: has no client_id, the provider gives one: docs/oauth.md says how`},
		{"secret itself", `client_id =`, "client_secret = \"hunter2\"\nclient_id =", `9: oauth[0].client_secret: does not say where the password comes from: ` + sources + `. The password itself must not stand in this file`},
		{"flow", `client_id =`, "flow = \"implicit\"\nclient_id =", `9: oauth[0].flow: "implicit" is not one of "code", "device", "client" or "command"`},
		{"client without secret", `client_id =`, "flow = \"client\"\ntenant = \"example.org\"\nclient_id =", `6: oauth[0]: has no client_secret, which flow = "client" needs: client_secret = "file:PATH"`},
		{"client of all tenants", `client_id =`, "flow = \"client\"\nclient_secret = \"env:X\"\nclient_id =", `6: oauth[0]: has no tenant, which flow = "client" needs: the directory's id or domain`},
		{"command without program", `client_id =`, "flow = \"command\"\nclient_id =", `6: oauth[0]: has no command, which flow = "command" needs: name the program that prints a token`},
		{"command with a quote", `client_id =`, "flow = \"command\"\ncommand = \"a 'b\"\nclient_id =", `10: oauth[0].command: has a ' without its end`},
		{"program without command", `client_id =`, "command = \"a\"\nclient_id =", `9: oauth[0].command: is for flow = "command" only, remove it or set the flow`},
		{"store", `client_id =`, "store = \"memory\"\nclient_id =", `9: oauth[0].store: "memory" is not one of "file" or "keyring"`},
		{"key for the keyring", `client_id =`, "store = \"keyring\"\nkey = \"env:X\"\nclient_id =", `10: oauth[0].key: is for store = "file", remove it: the keyring seals by itself`},
		{"http", `client_id =`, "token_url = \"http://auth.example.org\"\nclient_id =", `9: oauth[0].token_url: "http://auth.example.org" is no address of https, write one like "https://auth.example.org/token"`},
		{"no auth_url", `provider = "outlook"`, `token_url = "https://a.example/t"`, `6: oauth[0]: has no auth_url, the address where people sign in`},
		{"no device_url", `provider = "outlook"`, "token_url = \"https://a.example/t\"\nflow = \"device\"", `6: oauth[0]: has no device_url, the address where codes are had`},
		{"tenant of another", `"outlook"`, "\"gmail\"\ntenant = \"example.org\"", `9: oauth[0].tenant: is the directory of provider = "outlook", its id or domain`},
		{"tenant", `client_id =`, "tenant = \"a/b\"\nclient_id =", `9: oauth[0].tenant: is the directory of provider = "outlook", its id or domain`},
		{"redirect", `client_id =`, "redirect = \"https://example.org/\"\nclient_id =", `9: oauth[0].redirect: "https://example.org/" cannot be used, write "http://127.0.0.1", "http://localhost:8123/path" or "oob"`},
		{"scope", `client_id =`, "scopes = [\"a b\"]\nclient_id =", `9: oauth[0].scopes[0]: "a b" is no scope, write one in each pair of quotes`},
		{"client_auth", `client_id =`, "client_auth = \"jwt\"\nclient_id =", `9: oauth[0].client_auth: "jwt" is not one of "post" or "basic"`},
		{"name taken", tokens, tokens + tokens[strings.Index(tokens, "[[oauth]]"):], `11: oauth[1].name: "microsoft" is taken already, each [[oauth]] has a name of its own`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(tokens, tt.replace, tt.with, 1)
			if tt.name == "name" {
				text = strings.ReplaceAll(tokens, tt.replace, tt.with)
			}
			_, err := Parse("p", []byte(text))
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "p:")
			}
			if !sameLines(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	l, err := Parse("p", []byte(strings.Replace(tokens, `"outlook"`, "\"gmail\"\nflow = \"device\"", 1)))
	if err != nil || len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0].String(), "--paste") {
		t.Errorf("Google and devices: %v %v", err, l)
	}
}

// sameLines compares lines in any order.
func sameLines(a, b string) bool {
	set := func(s string) map[string]bool {
		m := map[string]bool{}
		for l := range strings.SplitSeq(s, "\n") {
			m[strings.TrimPrefix(l, "p:")] = true
		}
		return m
	}
	return cmp.Equal(set(a), set(b))
}

func TestOAuthPaths(t *testing.T) {
	t.Parallel()
	o := OAuth{Name: "x", ClientSecret: "file:a", Key: "file:~/b"}
	if err := o.resolve("/etc/postamt", "/home/bob"); err != nil || o.ClientSecret != "file:"+filepath.Join("/etc/postamt", "a") || o.Key != "file:/home/bob/b" {
		t.Errorf("%+v, %v", o, err)
	}
	if err := o.resolve("/etc/postamt", ""); err != nil { // resolved already
		t.Error(err)
	}
	o.Key = "file:~/b"
	if err := o.resolve("/etc/postamt", ""); err == nil || !strings.Contains(err.Error(), "oauth x") {
		t.Errorf("%v", err)
	}
}

// The examples of docs/oauth.md can be used as they stand.
func TestOAuthDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "oauth.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```toml\n")[1:]
	if len(blocks) < 6 {
		t.Fatalf("only %d examples", len(blocks))
	}
	for _, block := range blocks {
		example, _, _ := strings.Cut(block, "```")
		if l, err := Parse("docs/oauth.md", []byte(example)); err != nil || len(l.Warnings) > 0 {
			t.Errorf("%v %v\n%s", err, l, example)
		}
	}
}
