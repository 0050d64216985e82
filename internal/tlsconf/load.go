package tlsconf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// A FileError says which certificate or key cannot be used, and what to do.
type FileError struct {
	File string
	Text string // what is wrong and how to mend it
	Err  error  // the cause, may be nil
}

func (e *FileError) Error() string { return "tls: " + e.File + ": " + e.Text }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// maxPEM bounds a PEM file. A chain has a few KiB.
const maxPEM = 1 << 20

// stamp tells whether a file changed.
type stamp struct {
	file  string
	size  int64
	mtime time.Time
	info  fs.FileInfo // nil if it could not be looked at
}

func stampOf(file string) stamp {
	fi, err := os.Stat(file)
	if err != nil {
		return stamp{file: file}
	}
	return stamp{file: file, size: fi.Size(), mtime: fi.ModTime(), info: fi}
}

func changed(stamps []stamp) bool {
	for _, was := range stamps {
		is := stampOf(was.file)
		if is.size != was.size || !is.mtime.Equal(was.mtime) || (is.info == nil) != (was.info == nil) ||
			is.info != nil && !os.SameFile(is.info, was.info) {
			return true
		}
	}
	return false
}

// loadPairs loads all pairs or none. The stamps are good in either case; they are taken before the files are read.
func loadPairs(pairs []Pair) (loaded []*certificate, stamps []stamp, err error) {
	for _, p := range pairs {
		stamps = append(stamps, stampOf(p.Cert), stampOf(p.Key))
	}
	for _, p := range pairs {
		cert, err := loadPair(p)
		if err != nil {
			return nil, stamps, err
		}
		loaded = append(loaded, cert)
	}
	return loaded, stamps, nil
}

func loadPair(p Pair) (*certificate, error) {
	chain, err := readPEM(p.Cert)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(p.Key)
	if err != nil {
		return nil, err
	}
	return parsePair(p, chain, key)
}

// parsePair makes a certificate of PEM texts and refuses what nobody should serve.
func parsePair(p Pair, chain, key []byte) (*certificate, error) {
	if encrypted(key) {
		return nil, &FileError{File: p.Key, Text: "the key has a passphrase, store it without: openssl pkey -in OLD -out NEW"}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, pairError(p, chain, key, err)
	}
	leaf := pair.Leaf
	switch pub := leaf.PublicKey.(type) {
	case *rsa.PublicKey: // RFC 9325 §4.3
		if n := pub.N.BitLen(); n < 2048 {
			return nil, &FileError{File: p.Cert, Text: fmt.Sprintf("an RSA key of %d bits can be broken, take at least 2048 or an ECDSA key", n)}
		}
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P224() {
			return nil, &FileError{File: p.Cert, Text: "TLS knows no P-224, take an ECDSA key of P-256"}
		}
	}
	info := Info{File: p.Cert, NotAfter: leaf.NotAfter, SHA256: sha256.Sum256(leaf.Raw)}
	info.Names = append(info.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		info.Names = append(info.Names, ip.String())
	}
	return &certificate{tls: pair, info: info}, nil
}

// pairError finds out which of the two files is wrong.
func pairError(p Pair, chain, key []byte, err error) error {
	block, _ := pem.Decode(chain)
	for rest := chain; block != nil && block.Type != "CERTIFICATE"; {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return &FileError{File: p.Cert, Text: `there is no certificate in it, a PEM file has a line "-----BEGIN CERTIFICATE-----"`, Err: err}
	}
	if _, certErr := x509.ParseCertificate(block.Bytes); certErr != nil {
		return &FileError{File: p.Cert, Text: "the certificate is damaged, fetch it again: " + strings.TrimPrefix(certErr.Error(), "x509: "), Err: err}
	}
	if !bytes.Contains(key, []byte("PRIVATE KEY-----")) {
		return &FileError{File: p.Key, Text: `there is no private key in it, a PEM file has a line "-----BEGIN PRIVATE KEY-----"`, Err: err}
	}
	if strings.Contains(err.Error(), "does not match") {
		return &FileError{File: p.Key, Text: "the key does not belong to the certificate " + p.Cert + ", check that both are of the same renewal", Err: err}
	}
	return &FileError{File: p.Key, Text: "the key cannot be used: " + strings.TrimPrefix(err.Error(), "tls: "), Err: err}
}

func encrypted(key []byte) bool {
	return bytes.Contains(key, []byte("BEGIN ENCRYPTED PRIVATE KEY")) || bytes.Contains(key, []byte("Proc-Type: 4,ENCRYPTED"))
}

// readPEM reads a regular file of bounded size.
func readPEM(file string) ([]byte, error) {
	fi, err := os.Stat(file)
	if err == nil && !fi.Mode().IsRegular() {
		return nil, &FileError{File: file, Text: "is not a regular file, name a PEM file"}
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(file)
	}
	var b []byte
	if err == nil {
		defer f.Close()
		b, err = io.ReadAll(io.LimitReader(f, maxPEM+1))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{File: file, Text: "does not exist, create it or correct the path", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &FileError{File: file, Text: "cannot be read by this user, check owner and mode of the file and its folders", Err: err}
	case err != nil:
		return nil, &FileError{File: file, Text: "cannot be read: " + err.Error(), Err: err}
	case len(b) > maxPEM:
		return nil, &FileError{File: file, Text: "is larger than 1 MiB, this is not a PEM file"}
	}
	return b, nil
}
