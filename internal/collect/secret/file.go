package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

type file struct{ path string }

func (f file) String() string { return "the file " + f.path }

func (f file) Get(ctx context.Context) (string, error) {
	text, err := readPrivate(ctx, f.path)
	if err != nil {
		return "", err
	}
	return firstLine(f.String(), text)
}

type credential struct{ name string }

func (c credential) String() string { return "the credential " + c.name }

func (c credential) Get(ctx context.Context) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("%s is not there, because $CREDENTIALS_DIRECTORY is not set; "+
			"put LoadCredential=%s:PATH into the systemd unit", c, c.name)
	}
	// Its mode is systemd's business: it may grant the group by an ACL.
	text, err := read(ctx, filepath.Join(dir, c.name), false)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not there; put LoadCredential=%s:PATH into the systemd unit: %w", c, c.name, err)
	}
	if err != nil {
		return "", err
	}
	return firstLine(c.String(), text)
}

type env struct{ name string }

func (e env) String() string { return "the environment variable " + e.name }

func (e env) Get(context.Context) (string, error) {
	s, ok := os.LookupEnv(e.name)
	if !ok {
		return "", fmt.Errorf("%s, which has the password, is not set", e)
	}
	return check(e.String(), s)
}

type prompt struct{ opt Options }

func (p prompt) String() string { return "the terminal" }

func (p prompt) Get(ctx context.Context) (string, error) {
	if p.opt.Prompt == nil {
		return "", errors.New("there is nobody to ask for the password; use another source of it, such as file or credential")
	}
	s, err := p.opt.Prompt(ctx, fmt.Sprintf("Password of %s at %s: ", p.opt.User, p.opt.Host))
	if err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	return check(p.String(), s)
}

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(ctx context.Context, path string) ([]byte, error) { return read(ctx, path, true) }

func read(ctx context.Context, path string, private bool) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place is not waited for
	if err != nil {
		return nil, fmt.Errorf("the password file cannot be opened: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the password file cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the password file %s is not a regular file", path)
	case private && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the password file %s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxOutput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the password file cannot be read: %w", err)
	case len(text) > MaxOutput:
		return nil, fmt.Errorf("the password file %s has more than %d octets; is it the right one?", path, MaxOutput)
	}
	return text, nil
}
