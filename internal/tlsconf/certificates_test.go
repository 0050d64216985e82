package tlsconf

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := makePair(t, dir, "good", ecdsaKey(t), "a.example")
	other := makePair(t, dir, "other", ecdsaKey(t), "a.example")
	weak := makePair(t, dir, "weak", rsaKey(t, 1024), "a.example")
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := makePair(t, dir, "odd", p224, "a.example")
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		writeTo(t, path, []byte(content))
		return path
	}
	damaged := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	for _, tt := range []struct {
		name string
		pair Pair
		want string // DIR stands for the folder
		is   error
	}{
		{"no certificate file", Pair{dir + "/none", good.Key}, "tls: DIR/none: does not exist, create it or correct the path", fs.ErrNotExist},
		{"no key file", Pair{good.Cert, dir + "/none"}, "tls: DIR/none: does not exist, create it or correct the path", fs.ErrNotExist},
		{"folder", Pair{dir, good.Key}, "tls: DIR: is not a regular file, name a PEM file", nil},
		{"too large", Pair{file("large", strings.Repeat("x", maxPEM+1)), good.Key}, "tls: DIR/large: is larger than 1 MiB, this is not a PEM file", nil},
		{"empty", Pair{file("empty", ""), good.Key}, `tls: DIR/empty: there is no certificate in it, a PEM file has a line "-----BEGIN CERTIFICATE-----"`, nil},
		{"swapped", Pair{good.Key, good.Cert}, `tls: DIR/good.key: there is no certificate in it, a PEM file has a line "-----BEGIN CERTIFICATE-----"`, nil},
		{"damaged", Pair{file("damaged", damaged), good.Key}, "tls: DIR/damaged: the certificate is damaged, fetch it again: malformed certificate", nil},
		{"key without a key", Pair{good.Cert, good.Cert}, `tls: DIR/good.crt: there is no private key in it, a PEM file has a line "-----BEGIN PRIVATE KEY-----"`, nil},
		{"damaged key", Pair{good.Cert, file("badkey", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}, "tls: DIR/badkey: the key cannot be used: failed to parse private key", nil},
		{"passphrase", Pair{good.Cert, file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")}, "tls: DIR/locked: the key has a passphrase, store it without: openssl pkey -in OLD -out NEW", nil},
		{"not a pair", Pair{good.Cert, other.Key}, "tls: DIR/other.key: the key does not belong to the certificate DIR/good.crt, check that both are of the same renewal", nil},
		{"short RSA key", weak, "tls: DIR/weak.crt: an RSA key of 1024 bits can be broken, take at least 2048 or an ECDSA key", nil},
		{"P-224", odd, "tls: DIR/odd.crt: TLS knows no P-224, take an ECDSA key of P-256", nil},
	} {
		_, err := Open(Options{Pairs: []Pair{good, tt.pair}})
		if err == nil {
			t.Errorf("%s: accepted", tt.name)
			continue
		}
		got := strings.ReplaceAll(err.Error(), dir, "DIR")
		var fe *FileError
		if got != tt.want || !errors.As(err, &fe) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "tls")
	c := open(t, Options{Dir: dir, Hostname: "mail.example.org"})
	info := c.List()[0]
	if diff := cmp.Diff([]string{"mail.example.org", "localhost", "127.0.0.1", "::1"}, info.Names); diff != "" || !info.SelfSigned {
		t.Errorf("%+v (-want +got)\n%s", info, diff)
	}
	if life := time.Until(info.NotAfter); life < 397*24*time.Hour || life > 825*24*time.Hour {
		t.Errorf("good for %v", life)
	}
	for name, want := range map[string]fs.FileMode{"": 0o700 | fs.ModeDir, selfSignedFile: 0o600, selfSignedPublic: 0o644} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode() != want {
			t.Errorf("%q: %v, %v; want %v", name, fi.Mode(), err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	// A client that trusts the public file, and nothing else, verifies each of the names.
	public, err := os.ReadFile(filepath.Join(dir, selfSignedPublic))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(public, []byte("PRIVATE")) {
		t.Error("the public file has the key")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	leaf := c.current.Load().all[0].tls.Leaf
	for _, name := range info.Names {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	again := open(t, Options{Dir: dir, Hostname: "mail.example.org"}).List()[0]
	if again.SHA256 != info.SHA256 {
		t.Error("the next start made another certificate")
	}
}

func TestSelfSignedIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, file string, opt *Options)
		keeps bool
		why   string
	}{
		{"public file removed", func(t *testing.T, file string, _ *Options) {
			if err := os.Remove(filepath.Join(filepath.Dir(file), selfSignedPublic)); err != nil {
				t.Fatal(err)
			}
		}, true, ""},
		{"nothing happened", func(*testing.T, string, *Options) {}, true, ""},
		{"31 days before its end", func(_ *testing.T, _ string, opt *Options) {
			opt.Now = func() time.Time { return time.Now().Add(selfSignedLife - clockSkew - 31*24*time.Hour) }
		}, true, ""},
		{"29 days before its end", func(_ *testing.T, _ string, opt *Options) {
			opt.Now = func() time.Time { return time.Now().Add(selfSignedLife - clockSkew - 29*24*time.Hour) }
		}, false, "the old one expires"},
		{"other host name", func(_ *testing.T, _ string, opt *Options) { opt.Hostname = "new.example" }, false, "the old one is not for new.example"},
		{"damaged", func(t *testing.T, file string, _ *Options) { writeTo(t, file, []byte("-----BEGIN CERT")) }, false, "the old one is damaged"},
		{"removed", func(t *testing.T, file string, _ *Options) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, false, "there was none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var logged logBuffer
			opt := Options{Dir: t.TempDir(), Hostname: "old.example"}
			first := open(t, opt).List()[0]
			opt.Log = slog.New(slog.NewTextHandler(&logged, nil))
			tt.spoil(t, filepath.Join(opt.Dir, selfSignedFile), &opt)
			c := open(t, opt)
			if kept := c.List()[0].SHA256 == first.SHA256; kept != tt.keeps {
				t.Errorf("kept: %v, want %v", kept, tt.keeps)
			}
			if !strings.Contains(logged.String(), tt.why) {
				t.Errorf("the log does not say %q: %s", tt.why, logged.String())
			}
			public, err := os.ReadFile(filepath.Join(opt.Dir, selfSignedPublic))
			block, _ := pem.Decode(public)
			if err != nil || !bytes.Equal(block.Bytes, c.current.Load().all[0].tls.Leaf.Raw) {
				t.Errorf("%s is another certificate", selfSignedPublic)
			}
		})
	}
}

func TestSelfSignedByManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := Open(Options{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			all.Store(c.List()[0].SHA256, true)
		})
	}
	wg.Wait()
	n := 0
	all.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d different certificates", n)
	}
}

func TestSelfSignedCannotBeKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeTo(t, file, nil)
	_, err := Open(Options{Dir: filepath.Join(file, "tls")})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

// While clients connect, the pair is exchanged again and again, now and then for a broken one. Every handshake succeeds.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := makePair(t, dir, "a", ecdsaKey(t), "a.example"), makePair(t, dir, "b", ecdsaKey(t), "a.example")
	c := open(t, Options{Pairs: []Pair{a}})
	config := c.Config()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		for range 100 {
			for _, p := range []Pair{b, {a.Cert, b.Key}, a} {
				err := c.Reload([]Pair{p})
				if broken := p.Cert == a.Cert && p.Key == b.Key; (err != nil) != broken {
					t.Errorf("reload of %v: %v", p, err)
				}
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for once := true; once || ctx.Err() == nil; once = false {
				state, err := handshake(t, config, &tls.Config{})
				if err != nil {
					t.Error(err)
					return
				}
				if name := state.PeerCertificates[0].Subject.CommonName; name != "a" && name != "b" {
					t.Errorf("got %q", name)
				}
			}
		})
	}
	wg.Wait()
	if err := c.Reload([]Pair{b}); err != nil {
		t.Fatal(err)
	}
	state, err := handshake(t, config, &tls.Config{})
	if err != nil || state.PeerCertificates[0].Subject.CommonName != "b" {
		t.Errorf("after the last reload: %v", err)
	}
}

// Run notices changed files within a minute, keeps the old pair while the new one is incomplete, and warns of expiry.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged logBuffer
		dir := t.TempDir()
		key := ecdsaKey(t)
		p := makePair(t, dir, "a", key, "a.example")
		c := open(t, Options{Pairs: []Pair{p}, Log: slog.New(slog.NewTextHandler(&logged, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		next := func() (name, log string) {
			t.Helper()
			logged.Reset()
			time.Sleep(pollInterval) // of the bubble's clock
			synctest.Wait()
			return c.current.Load().all[0].tls.Leaf.Subject.CommonName, logged.String()
		}
		if name, log := next(); name != "a" || log != "" {
			t.Errorf("unchanged files: %s, %q", name, log)
		}
		newer := makePair(t, dir, "newer", ecdsaKey(t), "a.example")
		replace(t, newer.Cert, p.Cert)
		if name, log := next(); name != "a" || !strings.Contains(log, "the old ones stay in use") {
			t.Errorf("the key is not there yet: %s, %q", name, log)
		}
		if name, log := next(); name != "a" || log != "" {
			t.Errorf("the same warning twice: %s, %q", name, log)
		}
		replace(t, newer.Key, p.Key)
		if name, log := next(); name != "newer" || !strings.Contains(log, "certificates changed and loaded") {
			t.Errorf("both are there: %s, %q", name, log)
		}
		if err := os.Remove(p.Cert); err != nil {
			t.Fatal(err)
		}
		if name, log := next(); name != "newer" || !strings.Contains(log, "does not exist") {
			t.Errorf("the certificate is gone: %s, %q", name, log)
		}
		cancel()
		<-done
	})
}

func TestRunRenewsAndWarns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged logBuffer
		log := slog.New(slog.NewTextHandler(&logged, nil))
		own := open(t, Options{Dir: t.TempDir(), Log: log})
		given := open(t, Options{Pairs: []Pair{makePair(t, t.TempDir(), "a", ecdsaKey(t), "a.example")}, Log: log}) // for 90 days
		first := own.List()[0]
		logged.Reset()

		time.Sleep(90*24*time.Hour - expiryWarning + time.Minute)
		for range 3 * 24 {
			given.poll()
			time.Sleep(time.Hour)
		}
		if n := strings.Count(logged.String(), "certificate expires soon"); n != 3 {
			t.Errorf("warned %d times in three days", n)
		}
		logged.Reset()
		time.Sleep(expiryWarning)
		given.poll()
		if !strings.Contains(logged.String(), "certificate has expired") || !given.NotAfter().Before(time.Now()) {
			t.Errorf("expired: %s", logged.String())
		}

		time.Sleep(time.Until(first.NotAfter) - renewBefore - time.Minute)
		own.poll()
		if own.List()[0].SHA256 != first.SHA256 {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Minute)
		own.poll()
		if second := own.List()[0]; second.SHA256 == first.SHA256 || !second.NotAfter.After(first.NotAfter) {
			t.Errorf("not renewed: %+v", second)
		}
	})
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	var logged logBuffer
	p := makePair(t, t.TempDir(), "nameless", ecdsaKey(t))
	if err := os.Chmod(p.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Pairs: []Pair{p}, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	for _, want := range []string{"certificate without names (subjectAltName)", "private key is open to every user"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%q is not in %s", want, logged.String())
		}
	}
}

// makePair writes a certificate for 90 days, whose Common Name is the name of its files.
func makePair(t testing.TB, dir, file string, key crypto.Signer, names ...string) Pair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: file},
		DNSNames:     names,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(90 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{Cert: filepath.Join(dir, file+".crt"), Key: filepath.Join(dir, file+".key")}
	writeTo(t, p.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeTo(t, p.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return p
}

func writeTo(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// logBuffer keeps what is logged, by any goroutine.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
