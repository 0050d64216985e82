package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteSecret writes a password into a new file of its own, durably: mode 0600, in a folder that is made with mode 0700 if
// it is not there. A file that exists is left alone. The file's owner is whoever runs this process.
func WriteSecret(path, password string) (err error) {
	dir := filepath.Dir(path)
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return secretError(dir, err)
		}
	case !errors.Is(err, fs.ErrExist):
		return secretError(dir, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: remove it if nothing uses it, or name it with --password file:%s", path, path)
	}
	if err != nil {
		return secretError(path, err)
	}
	_, err = f.WriteString(password + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return errors.Join(secretError(path, err), os.Remove(path))
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func secretError(path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("the password cannot be kept in %s: %w", path, err)
}
