package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Loaded is a configuration that can be used, and where it came from.
type Loaded struct {
	Config
	// Path is the absolute path of the file, empty for built-in defaults.
	Path string
	// Warnings are what is unwise but works.
	Warnings []Problem
}

// Load reads, checks and resolves a configuration. An empty path means the first that is there of $POSTAMT_CONFIG,
// ./postamt.toml, /etc/postamt/postamt.toml; without any of them the defaults are taken. All errors in a file are
// returned together, as an *Error.
func Load(path string) (*Loaded, error) {
	return machine().load(path)
}

// Parse reads and checks a configuration from memory; name stands in errors. It leaves paths as they are and does not
// touch the disk.
func Parse(name string, text []byte) (*Loaded, error) {
	p := &problems{file: name}
	l := &Loaded{Config: Default()}
	decode(string(text), &l.Config, p)
	if p.lines != nil { // a file that is not TOML has one problem: that
		decoded := len(p.errors)
		l.check(p)
		p.errors = dropEchoes(p.errors, decoded)
	}
	l.Warnings = inOrder(p.warnings)
	if err := p.err(); err != nil {
		return nil, err
	}
	return l, nil
}

// dropEchoes removes problems of Check with keys that could not be read in the first place.
func dropEchoes(ps []Problem, decoded int) []Problem {
	bad := make(map[string]bool, decoded)
	for _, q := range ps[:decoded] {
		bad[q.Key] = true
	}
	kept := ps[:decoded:decoded]
	for _, q := range ps[decoded:] {
		if !bad[q.Key] {
			kept = append(kept, q)
		}
	}
	return kept
}

// Resolve makes paths absolute (base is the folder for relative ones, empty for the current one; sockets are relative to
// the data folder), finds the data folder and the host name if none is set.
func (c *Config) Resolve(base string) error {
	return machine().resolve(c, base)
}

// SplitAddress cuts an address of a listen key into what net.Listen wants: "unix:PATH" or host:port.
func SplitAddress(a string) (network, address string) {
	if path, ok := strings.CutPrefix(a, "unix:"); ok {
		return "unix", path
	}
	return "tcp", a
}

// host is what a configuration depends on besides its file.
type host struct {
	getenv   func(string) string
	uid      int
	hostname func() (string, error)
	etc      string // where a system-wide file is looked for
}

func machine() host {
	return host{getenv: os.Getenv, uid: os.Geteuid(), hostname: os.Hostname, etc: "/etc/postamt/postamt.toml"}
}

func (h host) load(path string) (*Loaded, error) {
	path, err := h.find(path)
	if err != nil {
		return nil, err
	}
	if path == "" {
		l := &Loaded{Config: Default()}
		return l, h.resolve(&l.Config, "")
	}
	text, err := readFile(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	l, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	if l.Path, err = filepath.Abs(path); err != nil {
		return nil, fileError(path, err)
	}
	if err := h.resolve(&l.Config, filepath.Dir(l.Path)); err != nil {
		return nil, fileError(path, err)
	}
	if err := l.checkFiles(path, text); err != nil {
		return nil, err
	}
	return l, nil
}

// find applies the search order.
func (h host) find(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	if path = h.getenv("POSTAMT_CONFIG"); path != "" {
		return path, nil
	}
next:
	for _, path := range []string{"postamt.toml", h.etc} {
		for _, stat := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
			fi, err := stat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue next
			}
			if err != nil {
				return "", fileError(path, err)
			}
			// A file that merely lies around where somebody starts us must not be another user's trap.
			if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != h.uid {
				return "", fileError(path, errors.New("belongs to another user, so it is not taken by itself: name it with --config if you trust it"))
			}
		}
		return path, nil
	}
	return "", nil
}

func (h host) resolve(c *Config, base string) error {
	if c.Data == "" {
		data, err := h.dataDir()
		if err != nil {
			return err
		}
		c.Data = data
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return fmt.Errorf("cannot find the current folder: %w", err)
	}
	c.Data = absolute(base, c.Data)
	c.TLS.Certificates = append([]Certificate(nil), c.TLS.Certificates...)
	for i := range c.TLS.Certificates {
		pair := &c.TLS.Certificates[i]
		pair.Cert, pair.Key = absolute(base, pair.Cert), absolute(base, pair.Key)
	}
	c.Fetch = append([]Fetch(nil), c.Fetch...)
	for i := range c.Fetch {
		if err := c.Fetch[i].resolve(base, h.getenv("HOME")); err != nil {
			return err
		}
	}
	c.OAuth = append([]OAuth(nil), c.OAuth...)
	for i := range c.OAuth {
		if err := c.OAuth[i].resolve(base, h.getenv("HOME")); err != nil {
			return err
		}
	}
	c.LMTP.Listen = append([]string(nil), c.LMTP.Listen...)
	for i, a := range c.LMTP.Listen {
		network, path := SplitAddress(a)
		if network != "unix" {
			continue
		}
		path = absolute(c.Data, path)
		// The kernel's sockaddr_un has room for 107 octets and a NUL.
		if len(path) > 107 {
			return fmt.Errorf("lmtp.listen: the path of the socket %s has %d octets, at most 107: name a shorter one", path, len(path))
		}
		c.LMTP.Listen[i] = "unix:" + path
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
		if name, err := h.hostname(); err == nil && validHost(name) {
			c.Hostname = name
		}
	}
	return nil
}

// dataDir is the folder for data where none is configured.
func (h host) dataDir() (string, error) {
	if state := h.getenv("STATE_DIRECTORY"); state != "" {
		first, _, _ := strings.Cut(state, ":")
		return first, nil
	}
	if h.uid == 0 {
		return "/var/lib/postamt", nil
	}
	if share := h.getenv("XDG_DATA_HOME"); filepath.IsAbs(share) {
		return filepath.Join(share, "postamt"), nil
	}
	if home := h.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "postamt"), nil
	}
	return "", errors.New(`data: there is no home folder to keep data in, set data = "/some/folder"`)
}

// checkFiles refuses certificates that cannot be read, with the line that names them, and warns of missing programs.
func (l *Loaded) checkFiles(path string, text []byte) error {
	lines, _ := lineIndex(string(text))
	p := &problems{file: path, lines: lines}
	for i, pair := range l.TLS.Certificates {
		for _, f := range [...]struct{ key, file string }{{"cert", pair.Cert}, {"key", pair.Key}} {
			if _, err := readFile(f.file); err != nil {
				p.add(fmt.Sprintf("tls.certificates[%d].%s", i, f.key), "%s", fileText(f.file, err))
			}
		}
	}
	for i, f := range l.Fetch {
		for key, file := range map[string]string{"ca": f.CA, "smtp_ca": f.SMTPCA, "imap_ca": f.IMAPCA, "client_cert": f.ClientCert, "client_key": f.ClientKey} {
			if file == "" {
				continue
			}
			if _, err := readFile(file); err != nil {
				p.add(fmt.Sprintf("fetch[%d].%s", i, key), "%s", fileText(file, err))
			}
		}
	}
	l.checkPrograms(p)
	l.Warnings = inOrder(append(l.Warnings, p.warnings...))
	return p.err()
}

// readFile reads a regular file of bounded size. Anything else (a pipe would block) is refused.
func readFile(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func fileError(path string, err error) error {
	return &Error{Problems: []Problem{{File: path, Text: fileText("", err)}}}
}

// fileText says what is wrong with a file and how to mend it.
func fileText(file string, err error) string {
	if file != "" {
		file += " "
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file + "does not exist, create it or correct the path"
	case errors.Is(err, fs.ErrPermission):
		return file + "cannot be read by this user, check owner and mode of the file and its folders"
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return file + "cannot be read: " + pe.Err.Error()
	}
	return file + err.Error()
}

func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
