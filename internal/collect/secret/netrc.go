package secret

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type netrc struct{ path, host, user string }

func (n netrc) String() string {
	if n.path != "" {
		return n.path
	}
	return ".netrc"
}

func (n netrc) Get(ctx context.Context) (string, error) {
	path := n.path
	if path == "" {
		path = os.Getenv("NETRC")
	}
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no home folder with a .netrc: %w", err)
		}
		path = filepath.Join(home, ".netrc")
	}
	text, err := readPrivate(ctx, path)
	if err != nil {
		return "", err
	}
	pass, ok := lookup(string(text), n.host, n.user)
	if !ok {
		return "", fmt.Errorf("%s has no password for user %s at machine %s; add a line \"machine %s login %s password\" and the password",
			path, n.user, n.host, n.host, n.user)
	}
	return check(path, pass)
}

// lookup finds the first entry for host and user with a password. An entry "default" fits every host, one without a login
// every user.
func lookup(text, host, user string) (string, bool) {
	var machine, login, pass string
	var inEntry, anyHost, hasPass bool
	fits := func() bool {
		return inEntry && hasPass && (anyHost || strings.EqualFold(machine, host)) && (login == "" || login == user)
	}
	words := netrcWords(text)
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "machine", "default":
			if fits() {
				return pass, true
			}
			inEntry, anyHost, login, pass, hasPass = true, words[i] == "default", "", "", false
			if !anyHost {
				machine = value
				i++
			}
		case "login", "user":
			login = value
			i++
		case "password", "passwd":
			pass, hasPass = value, true
			i++
		case "account":
			i++
		default:
		}
	}
	return pass, fits()
}

// netrcWords makes words of the file. A macro definition, which ends with an empty line, and comments are left out.
func netrcWords(text string) []string {
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if macro {
			macro = line != ""
			continue
		}
		for line != "" {
			var word string
			if line[0] == '#' && (len(words) == 0 || !isValued(words)) {
				break
			}
			word, line = netrcWord(line)
			if word == "macdef" {
				macro = true
				break
			}
			words = append(words, word)
		}
	}
	return words
}

// isValued says whether the next word is the value of the last one, so that a password may begin with "#".
func isValued(words []string) bool {
	switch words[len(words)-1] {
	case "machine", "login", "user", "password", "passwd", "account":
		return true
	default:
		return false
	}
}

// netrcWord takes the first word, which may be in quotes with \ before a quote or a backslash.
func netrcWord(line string) (word, rest string) {
	if line[0] != '"' {
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			return line, ""
		}
		return line[:i], strings.TrimLeft(line[i:], " \t")
	}
	var b strings.Builder
	for i := 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		case c == '"':
			return b.String(), strings.TrimLeft(line[i+1:], " \t")
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
