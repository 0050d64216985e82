package secret

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/argv"
)

// Limits.
const (
	// MaxSecret is the longest password, in octets: what the sasl package takes.
	MaxSecret = 4096
	// MaxOutput is how much a program may print, or a file may have, before it is taken for a mistake.
	MaxOutput = 64 << 10
	// CommandTimeout is how long a program may take: somebody may have to touch a key or type into another window.
	CommandTimeout = time.Minute
)

// A Source knows where a password is. It may be used concurrently.
type Source interface {
	// Get returns the password. Errors are one sentence each and tell nothing of it.
	Get(ctx context.Context) (string, error)
	// String says where the password comes from, for people.
	String() string
}

// Options are what some sources need to know.
type Options struct {
	// Host and User are whose password it is, for netrc, keyring and the question of prompt.
	Host, User string
	// Prompt asks a person; nil means that there is nobody to ask.
	Prompt func(ctx context.Context, question string) (string, error)
	// Keyring looks into the keyring of the desktop; nil means that there is none.
	Keyring func(ctx context.Context, service, user string) (string, error)
}

// Parse reads where a password is. See the package comment.
func Parse(spec string, opt Options) (Source, error) {
	kind, value, found := strings.Cut(spec, ":")
	service, user, keyring, err := KeyringEntry(spec, opt)
	switch {
	case err != nil:
		return nil, err
	case keyring && opt.Keyring == nil:
		return nil, errors.New("there is no keyring here; use another source of the password, such as file or credential")
	case keyring:
		return inKeyring{service: service, user: user, get: opt.Keyring}, nil
	case kind == "command" && found:
		program, err := argv.Split(value)
		if err != nil {
			return nil, fmt.Errorf("the password command %w", err)
		}
		return Command(program)
	case kind == "file" && value != "":
		return file{path: value}, nil
	case kind == "env" && validName(value):
		return env{name: value}, nil
	case kind == "credential" && validName(value):
		return credential{name: value}, nil
	case kind == "netrc" && (!found || value != ""):
		if opt.Host == "" || opt.User == "" {
			return nil, errors.New("a password from .netrc needs the account's host and user; name both in the configuration")
		}
		return netrc{path: value, host: opt.Host, user: opt.User}, nil
	case spec == "prompt":
		return prompt{opt}, nil
	default:
		// The word itself is not shown: it may be the password, written down in the wrong place.
		return nil, errors.New("where the password is must be written as command:PROGRAM ARGUMENTS, file:PATH, env:NAME, " +
			"credential:NAME, keyring, keyring:SERVICE/USER, netrc, netrc:PATH or prompt; the password itself does not belong here")
	}
}

// validName refuses what is no name of a variable or of a file in one folder.
func validName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/=\x00")
}

// firstLine returns the password in what a program printed or a file has.
func firstLine(from string, text []byte) (string, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	return check(from, strings.TrimSuffix(line, "\r"))
}

// check refuses what cannot be a password.
func check(from, s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("the password from %s is empty", from)
	case len(s) > MaxSecret:
		return "", fmt.Errorf("the password from %s has more than %d octets", from, MaxSecret)
	case strings.ContainsAny(s, "\x00\r\n"):
		return "", fmt.Errorf("the password from %s has a line end or a NUL in it, which no server takes", from)
	}
	return s, nil
}
