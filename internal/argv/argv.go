// Package argv makes the words of a command line that stands in the configuration: programs are started without a shell.
package argv

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Split splits a command at spaces, except for those in single or double quotes or behind a backslash, as a shell would.
// There is no shell and no other sign with a meaning. Errors go on from what names the command: "has a ' without its end".
func Split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, within, escaped := rune(0), false, false
	for _, r := range s {
		switch {
		case r == 0:
			return nil, errors.New("has a NUL in it")
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, within = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, within = r, true
		case unicode.IsSpace(r):
			if within {
				words = append(words, word.String())
			}
			word.Reset()
			within = false
		default:
			word.WriteRune(r)
			within = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("has a %c without its end", quote)
	}
	if escaped {
		return nil, errors.New("ends in a backslash")
	}
	if within {
		words = append(words, word.String())
	}
	return words, nil
}
