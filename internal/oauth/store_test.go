package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/oauth"
)

func TestFileStore(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a", "b")
	store := oauth.NewFileStore(folder, nil)
	ctx := t.Context()
	if _, err := store.Load(ctx, "isp"); !errors.Is(err, oauth.ErrNoToken) {
		t.Errorf("Load of nothing: %v", err)
	}
	if err := store.Delete(ctx, "isp"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	const secret = "a very secret token"
	for account, text := range map[string]string{"isp": secret, "../isp/\x00": "another"} {
		if err := store.Save(ctx, account, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := oauth.NewFileStore(folder, nil).Load(ctx, account); string(got) != text || err != nil {
			t.Errorf("Load(%q) = %q, %v", account, got, err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 3 { // two tokens and the key
		t.Errorf("%v %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil || bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s shows the token", f.Name())
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v", info.Mode())
	}
	if err := store.Delete(ctx, "isp"); err != nil {
		t.Error(err)
	}
	if _, err := store.Load(ctx, "isp"); !errors.Is(err, oauth.ErrNoToken) {
		t.Errorf("Load after Delete: %v", err)
	}
}

// tokenFile returns the one file of a token in a folder.
func tokenFile(t *testing.T, folder string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*.token"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

// Whatever is done to a file, it is not taken for a token, and the error says what is wrong.
func TestFileStoreDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		damage func(t *testing.T, path string)
		word   string
	}{
		"bit": {func(t *testing.T, path string) {
			text, _ := os.ReadFile(path)
			text[len(text)-1] ^= 1
			write(t, path, text)
		}, "damaged"},
		"cut":             {func(t *testing.T, path string) { write(t, path, []byte("postamt token 1\nxyz")) }, "damaged"},
		"empty":           {func(t *testing.T, path string) { write(t, path, nil) }, "no file of a token"},
		"another version": {func(t *testing.T, path string) { write(t, path, []byte("postamt token 2\nxyz")) }, "newer version"},
		"others can read": {func(t *testing.T, path string) { must(t, os.Chmod(path, 0o640)) }, "chmod 600"},
		"too long":        {func(t *testing.T, path string) { must(t, os.Truncate(path, 1<<20)) }, "octets"},
		"folder": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		"link": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+"x"))
			must(t, os.Symlink(path+"x", path))
		}, "symbolic links"},
		"key gone": {func(t *testing.T, path string) { must(t, os.Remove(filepath.Join(filepath.Dir(path), "key"))) }, "key of the tokens"},
		"another key": {func(t *testing.T, path string) {
			write(t, filepath.Join(filepath.Dir(path), "key"), bytes.Repeat([]byte("k"), 44))
		}, "the key is another one"},
		"short key": {func(t *testing.T, path string) { write(t, filepath.Join(filepath.Dir(path), "key"), []byte("k\n")) }, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			store := oauth.NewFileStore(folder, nil)
			must(t, store.Save(t.Context(), "isp", []byte("secret")))
			tt.damage(t, tokenFile(t, folder))
			text, err := store.Load(t.Context(), "isp")
			if text != nil || err == nil || errors.Is(err, oauth.ErrNoToken) || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("Load = %q, %v; want %q", text, err, tt.word)
			}
		})
	}
}

// A file of one account is of no use in the place of another's.
func TestFileStoreSwapped(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := oauth.NewFileStore(folder, nil)
	must(t, store.Save(t.Context(), "a", []byte("of a")))
	a := tokenFile(t, folder)
	must(t, os.Rename(a, a+"x"))
	must(t, store.Save(t.Context(), "b", []byte("of b")))
	must(t, os.Rename(a+"x", tokenFile(t, folder)))
	if text, err := store.Load(t.Context(), "b"); err == nil {
		t.Errorf("Load = %q", text)
	}
}

func TestFileStoreKey(t *testing.T) {
	t.Parallel()
	key := func(s string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, err }
	}
	folder := t.TempDir()
	good := oauth.NewFileStore(folder, key(strings.Repeat("k", oauth.MinKey), nil))
	must(t, good.Save(t.Context(), "isp", []byte("secret")))
	if _, err := os.Stat(filepath.Join(folder, "key")); err == nil {
		t.Error("a key was made beside the token")
	}
	if text, err := good.Load(t.Context(), "isp"); string(text) != "secret" || err != nil {
		t.Errorf("Load = %q, %v", text, err)
	}
	away := errors.New("the credential is not there")
	for word, bad := range map[string]func(context.Context) (string, error){
		"at least 32":            key(strings.Repeat("k", oauth.MinKey-1), nil),
		"the key is another one": key(strings.Repeat("K", oauth.MinKey), nil),
		"credential":             key("", away),
	} {
		store := oauth.NewFileStore(folder, bad)
		if text, err := store.Load(t.Context(), "isp"); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: Load = %q, %v", word, text, err)
		}
	}
}

// Of several that make the key at the same time one wins, and all use that one.
func TestFileStoreMakesOneKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := oauth.NewFileStore(folder, nil).Save(t.Context(), string(rune('a'+i)), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 8 {
		if _, err := oauth.NewFileStore(folder, nil).Load(t.Context(), string(rune('a'+i))); err != nil {
			t.Error(err)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 9 {
		t.Errorf("%d files", len(files))
	}
}

var errNotThere = errors.New("not there")

// ring is a keyring in memory.
type ring map[[2]string]string

func (r ring) Get(_ context.Context, service, user string) (string, error) {
	if s, ok := r[[2]string{service, user}]; ok {
		return s, nil
	}
	return "", errNotThere
}

func (r ring) Set(_ context.Context, service, user, secret string) error {
	r[[2]string{service, user}] = secret
	return nil
}

func (r ring) Delete(_ context.Context, service, user string) error {
	if _, err := r.Get(context.Background(), service, user); err != nil {
		return err
	}
	delete(r, [2]string{service, user})
	return nil
}

func TestRingStore(t *testing.T) {
	t.Parallel()
	r := ring{}
	store := oauth.NewRingStore(r, errNotThere)
	if _, err := store.Load(t.Context(), "isp"); !errors.Is(err, oauth.ErrNoToken) {
		t.Errorf("Load of nothing: %v", err)
	}
	must(t, store.Delete(t.Context(), "isp"))
	must(t, store.Save(t.Context(), "isp", []byte(`{"a":1}`)))
	if r[[2]string{oauth.Service, "isp"}] != `{"a":1}` {
		t.Errorf("%v", r)
	}
	if text, err := store.Load(t.Context(), "isp"); string(text) != `{"a":1}` || err != nil {
		t.Errorf("Load = %q, %v", text, err)
	}
	must(t, store.Delete(t.Context(), "isp"))
	if len(r) != 0 {
		t.Errorf("%v", r)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(path, text, 0o600))
}
