package tlsconf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// selfSignedFile holds certificate and key, so that they can never be of two different renewals.
	selfSignedFile = "self-signed.pem"
	// selfSignedPublic is the certificate alone, for people to give to their mail programs.
	selfSignedPublic = "self-signed.crt"

	// A new certificate means that everybody has to trust it anew, so it lives as long as mail programs allow: Apple's
	// refuse more than 825 days.
	selfSignedLife = 820 * 24 * time.Hour
	// renewBefore is how long before its end it is renewed.
	renewBefore = 30 * 24 * time.Hour
	// clockSkew is how far the clock of a client may be behind.
	clockSkew = 24 * time.Hour
)

func renewalDue(notAfter, now time.Time) bool { return notAfter.Sub(now) < renewBefore }

// loadSelfSigned loads the self-signed certificate; if there is none that will do, it makes one.
func (c *Certificates) loadSelfSigned() ([]*certificate, []stamp, error) {
	path := filepath.Join(c.opt.Dir, selfSignedFile)
	stamps := []stamp{stampOf(path)}
	cert, why, err := c.readSelfSigned(path)
	if err != nil {
		return nil, stamps, err
	}
	if why == "" {
		if err := c.publish(cert); err != nil { // it is only for people
			c.opt.Log.Warn("the self-signed certificate cannot be written for mail programs", "err", err)
		}
	} else {
		place := os.Rename
		if why == whyNone {
			place = os.Link // does not replace: if another process was faster, its certificate is taken
		}
		if cert, err = c.makeSelfSigned(path, place); err != nil {
			return nil, stamps, &FileError{File: path, Text: "a self-signed certificate cannot be kept there, check the folder's owner and free space: " + err.Error(), Err: err}
		}
		stamps = []stamp{stampOf(path)}
		c.opt.Log.Info("self-signed certificate made", "why", why, "file", path, "names", cert.info.Names, "expires", cert.info.NotAfter)
	}
	return []*certificate{cert}, stamps, nil
}

const whyNone = "there was none"

// readSelfSigned reads the file; why says why a new one is needed, empty if not.
func (c *Certificates) readSelfSigned(path string) (cert *certificate, why string, err error) {
	b, err := readPEM(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, whyNone, nil
	}
	if err != nil {
		return nil, "", err
	}
	if cert, err = parsePair(Pair{Cert: path, Key: path}, b, b); err != nil {
		return nil, "the old one is damaged", nil
	}
	if renewalDue(cert.info.NotAfter, c.opt.Now()) {
		return nil, "the old one expires", nil
	}
	for _, name := range c.selfSignedNames() {
		if cert.tls.Leaf.VerifyHostname(name) != nil {
			return nil, "the old one is not for " + name, nil
		}
	}
	cert.info.SelfSigned = true
	return cert, "", nil
}

func (c *Certificates) selfSignedNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if h := c.opt.Hostname; h != "" && h != "localhost" {
		names = append([]string{h}, names...)
	}
	return names
}

// makeSelfSigned makes and keeps a new certificate, and returns what is kept then.
func (c *Certificates) makeSelfSigned(path string, place func(from, to string) error) (*certificate, error) {
	b, err := generate(c.selfSignedNames(), c.opt.Now())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.opt.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeFile(path, b, 0o600, place); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	kept, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	cert, err := parsePair(Pair{Cert: path, Key: path}, kept, kept)
	if err != nil {
		return nil, err
	}
	cert.info.SelfSigned = true
	return cert, c.publish(cert)
}

// publish writes the certificate alone, unless it is there already.
func (c *Certificates) publish(cert *certificate) error {
	path := filepath.Join(c.opt.Dir, selfSignedPublic)
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.tls.Leaf.Raw})
	if there, err := readPEM(path); err == nil && bytes.Equal(there, public) {
		return nil
	}
	return writeFile(path, public, 0o644, os.Rename)
}

// generate returns a new certificate with its key.
func generate(names []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: names[0], Organization: []string{"Postamt, self-signed"}},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(selfSignedLife - clockSkew),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // and not a CA: whoever trusts it trusts this one server only
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	both := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(both, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), nil
}

// writeFile puts a whole and durable file into place with os.Rename or os.Link.
func writeFile(path string, b []byte, mode fs.FileMode, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after a rename it is gone already
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
