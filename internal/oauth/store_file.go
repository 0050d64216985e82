package oauth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// MinKey is how many octets a key that somebody makes must have at least: "openssl rand -base64 32" prints 44.
	MinKey = 32
	// fileMagic begins a file, with the version of its form.
	fileMagic = "postamt token 1\n"
	keyName   = "key"
)

// A FileStore keeps tokens in files of a folder, mode 0600, sealed with AES-256-GCM under a key that is asked for, or under
// one that is made and kept beside them in the file "key". With that one the files are of no use to whoever gets hold of a
// single one of them, but they are to whoever can read the whole folder; with a key from elsewhere not even then.
type FileStore struct {
	folder string
	key    func(ctx context.Context) (string, error)
}

// NewFileStore returns a store in a folder, which is made when it is needed. key returns the key, at least MinKey octets
// that nobody can guess; nil means a key of its own.
func NewFileStore(folder string, key func(ctx context.Context) (string, error)) *FileStore {
	return &FileStore{folder: folder, key: key}
}

func (f *FileStore) path(account string) string {
	return filepath.Join(f.folder, fileName(account)+".token")
}

// Load reads a file.
func (f *FileStore) Load(ctx context.Context, account string) ([]byte, error) {
	text, err := readPrivate(f.path(account), maxRecord+256)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoToken
	}
	if err != nil {
		return nil, err
	}
	sealed, ok := strings.CutPrefix(string(text), fileMagic)
	if !ok {
		return nil, fmt.Errorf("%s is no file of a token, or of a newer version", f.path(account))
	}
	aead, err := f.aead(ctx, false)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, []byte(sealed), []byte(fileMagic+account))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened with the key of the tokens: the key is another one, or the file is damaged", f.path(account))
	}
	return plain, nil
}

// Save writes a file durably: under another name first, then in place of the old one.
func (f *FileStore) Save(ctx context.Context, account string, record []byte) error {
	if err := makeFolder(f.folder); err != nil {
		return err
	}
	aead, err := f.aead(ctx, true)
	if err != nil {
		return err
	}
	sealed := aead.Seal([]byte(fileMagic), nil, record, []byte(fileMagic+account))
	return writeDurably(f.path(account), sealed, os.Rename)
}

// Delete removes a file.
func (f *FileStore) Delete(_ context.Context, account string) error {
	if err := os.Remove(f.path(account)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(f.folder)
}

// aead returns the cipher, which puts a random nonce of its own in front of each text.
func (f *FileStore) aead(ctx context.Context, create bool) (cipher.AEAD, error) {
	var secret string
	var err error
	if f.key != nil {
		secret, err = f.key(ctx)
		if err == nil && len(secret) < MinKey {
			err = fmt.Errorf("has %d octets, at least %d are needed: openssl rand -base64 32 makes one", len(secret), MinKey)
		}
		if err != nil {
			return nil, fmt.Errorf("the key of the tokens: %w", err)
		}
	} else if secret, err = f.ownKey(create); err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "postamt token 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// ownKey reads the key beside the tokens, or makes it if there is none. Of several that make one at the same time one wins.
func (f *FileStore) ownKey(create bool) (string, error) {
	path := filepath.Join(f.folder, keyName)
	text, err := readPrivate(path, 1<<10)
	if errors.Is(err, fs.ErrNotExist) && create {
		var random [32]byte
		_, _ = rand.Read(random[:]) // it does not fail
		line := base64.StdEncoding.EncodeToString(random[:]) + "\n"
		if err = writeDurably(path, []byte(line), linkNew); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		text, err = readPrivate(path, 1<<10)
	}
	if err != nil {
		return "", fmt.Errorf("the key of the tokens: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if len(key) < MinKey {
		return "", fmt.Errorf("the key of the tokens, %s, is damaged: without a copy of it everybody has to sign in again", path)
	}
	return key, nil
}

// linkNew gives a file its name only if there is none of that name.
func linkNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// writeDurably writes a file that is there as a whole, or not at all, whenever the machine stops.
func writeDurably(path string, text []byte, place func(from, to string) error) (err error) {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, ".new*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = place(file.Name(), path)
	}
	if err == nil {
		err = syncFolder(folder)
	}
	return err
}

// makeFolder makes a folder, with those above it, so that it is there after a stop of the machine.
func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

func syncFolder(folder string) error {
	dir, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	return err
}

// readPrivate reads a regular file that nobody but its owner can read.
func readPrivate(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s can be read by others (mode %04o), run: chmod 600 %s", path, info.Mode().Perm(), path)
	case info.Size() > most:
		return nil, fmt.Errorf("%s has more than %d octets", path, most)
	}
	return io.ReadAll(io.LimitReader(file, most))
}
