package office

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/pop3/pop3client"
)

// A knownKey is the file that remembers the key with which one account's server was first seen (trust = "first-use").
type knownKey struct{ path string }

// maxKnownKey bounds the file, in octets: a pin and a line end.
const maxKnownKey = 1024

// pin returns the key that is remembered.
func (k knownKey) pin() (pin pop3client.Pin, ok bool, err error) {
	text, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return pin, false, nil
	}
	if err != nil {
		return pin, false, fmt.Errorf("the key of the server cannot be looked up: %w", err)
	}
	if len(text) > maxKnownKey {
		return pin, false, fmt.Errorf("%s is not a remembered key, remove it to trust the server anew", k.path)
	}
	pin, err = pop3client.ParsePin(strings.TrimSpace(string(text)))
	if err != nil {
		return pin, false, fmt.Errorf("%s is not a remembered key, remove it to trust the server anew", k.path)
	}
	return pin, true, nil
}

// remember keeps a key, durably.
func (k knownKey) remember(pin pop3client.Pin) (err error) {
	dir := filepath.Dir(k.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the key of the server cannot be remembered: %w", err)
	}
	f, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return fmt.Errorf("the key of the server cannot be remembered: %w", err)
	}
	_, err = f.WriteString(pin.String() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the key of the server cannot be remembered: %w", err), ignoreMissing(os.Remove(f.Name())))
	}
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
