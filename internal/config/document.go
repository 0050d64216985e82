package config

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

// The files of the structs.
var (
	//go:embed config.go
	sourceConfig string
	//go:embed fetch.go
	sourceFetch string
	//go:embed fetch_oauth.go
	sourceOAuth string
)

// docs returns the doc comments of all structs of the tree: "POP3" for a struct, "POP3.Listen" for a field.
func docs() map[string]string {
	found := make(map[string]string)
	for _, source := range []string{sourceConfig, sourceFetch, sourceOAuth} {
		file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			panic("config: embedded source: " + err.Error()) // it compiled
		}
		addDocs(found, file)
	}
	return found
}

func addDocs(found map[string]string, file *ast.File) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			name := spec.(*ast.TypeSpec).Name.Name
			found[name] = oneLine(gen.Doc.Text())
			for _, field := range spec.(*ast.TypeSpec).Type.(*ast.StructType).Fields.List {
				for _, id := range field.Names {
					found[name+"."+id.Name] = oneLine(field.Doc.Text())
				}
			}
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// section is one struct of the tree, for printing.
type section struct {
	name, text string
	list       bool // [[name]]
	keys       []key
}

type key struct {
	name, kind, value, text string
	required                bool
}

func sections() []section {
	texts, def := docs(), Default()
	var all []section
	var visit func(name string, v reflect.Value, list bool)
	visit = func(name string, v reflect.Value, list bool) {
		t := v.Type()
		text := texts[t.Name()]
		if after, ok := strings.CutPrefix(text, t.Name()+" is "); ok { // that start is for readers of Go
			text = strings.ToUpper(after[:1]) + after[1:]
		}
		at := len(all)
		all = append(all, section{name: name, text: text, list: list})
		for i := range t.NumField() {
			f, tag := t.Field(i), t.Field(i).Tag.Get("toml")
			path := join(name, tag)
			switch {
			case f.Type.Kind() == reflect.Struct:
				visit(path, v.Field(i), false)
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				visit(path, elementDefault(f.Type.Elem()), true)
			default:
				all[at].keys = append(all[at].keys, key{
					name: tag, kind: kindOf(f.Type), value: literal(v.Field(i)), text: texts[t.Name()+"."+f.Name],
					required: f.Tag.Get("required") != "",
				})
			}
		}
	}
	visit("", reflect.ValueOf(def), false)
	return all
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "time"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[[]string]():
		return "list of texts"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	return "text"
}

// exampleFile stands in the reference.
const exampleFile = `hostname = "mail.example.org"
domains = ["example.org"]

[pop3]
listen = [":110"]
listen_tls = [":995"]

[lmtp]
listen = ["unix:/var/spool/postfix/postamt/lmtp.sock"]

[[tls.certificates]]
cert = "/etc/postamt/tls/fullchain.pem"
key = "/etc/postamt/tls/privkey.pem"
`

// exampleFetch stands in the reference.
const exampleFetch = `[[fetch]]
name = "isp"
url = "pop3s://bob@pop.example.net"
password = "file:/etc/postamt/isp.password"
to = ["store:bob"]
`

// DocMarkdown returns the reference of all keys, as it stands in docs/configure.md below a line on where that comes from.
func DocMarkdown() string {
	var b strings.Builder
	b.WriteString(`# Configure

Postamt works without a configuration file. What differs from the defaults goes into one TOML file: the one named with
` + "`--config`" + `, else the first that is there of ` + "`$POSTAMT_CONFIG`, `./postamt.toml` and `/etc/postamt/postamt.toml`" + `.

- ` + "`postamt config check`" + ` says what is wrong in it, with line and mend. Unknown keys are errors.
- ` + "`postamt config show`" + ` prints what is in force, and marks what differs from the default.
- ` + "`postamt config doc`" + ` prints this page.
- ` + "`postamt reload`" + ` (or SIGHUP) takes over a changed file without dropping a session. If the new file has an error, the
  old settings stay in force.

Times are written as "90s", "10m", "36h" or "14d"; sizes as "64KiB" (1024), "50MB" (1000) or a plain number of octets.
Relative paths start at the folder of the file, those of sockets at the data folder.
`)
	b.WriteString("\nA server behind Postfix, with a certificate from an authority:\n\n```toml\n" + exampleFile + "```\n")
	b.WriteString("\nA mailbox elsewhere whose mail is brought home ([fetch.md](fetch.md)):\n\n```toml\n" + exampleFetch + "```\n")
	for _, s := range sections() {
		switch {
		case s.name == "":
			b.WriteString("\n## At the top\n")
		case s.list:
			fmt.Fprintf(&b, "\n## [[%s]]\n\n%s\n", s.name, s.text)
		default:
			fmt.Fprintf(&b, "\n## [%s]\n\n%s\n", s.name, s.text)
		}
		for _, k := range s.keys {
			usual := "default `" + k.value + "`"
			if k.required {
				usual = "required"
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s, %s\n\n%s\n", k.name, strings.ToUpper(k.kind[:1])+k.kind[1:], usual, k.text)
		}
	}
	return b.String()
}

// DocTOML returns a file of all keys with their defaults and texts, commented out except for the section names.
func DocTOML() string {
	var b strings.Builder
	b.WriteString("# Postamt's configuration. All values are the defaults; remove the # of those you change.\n")
	for _, s := range sections() {
		b.WriteByte('\n')
		if s.name != "" {
			comment(&b, s.text)
		}
		switch {
		case s.list:
			fmt.Fprintf(&b, "#[[%s]]\n", s.name)
		case s.name != "":
			fmt.Fprintf(&b, "[%s]\n", s.name)
		}
		for _, k := range s.keys {
			b.WriteByte('\n')
			comment(&b, k.text)
			fmt.Fprintf(&b, "#%s = %s\n", k.name, k.value)
		}
	}
	return b.String()
}

// comment writes a text in lines of at most 100 octets.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 100 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
