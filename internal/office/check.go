package office

import (
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/tlsconf"
)

// CheckCertificates returns what keeps the certificates of a configuration from being served: what Open and Reload would
// stop at, all of it. It makes no self-signed certificate.
func CheckCertificates(loaded *config.Loaded) (wrong []config.Problem) {
	for i, c := range loaded.TLS.Certificates {
		_, err := tlsconf.Open(tlsconf.Options{Pairs: []tlsconf.Pair{{Cert: c.Cert, Key: c.Key}}})
		if err == nil {
			continue
		}
		text := err.Error()
		if file, ok := errors.AsType[*tlsconf.FileError](err); ok {
			text = file.File + ": " + file.Text
		}
		wrong = append(wrong, config.Problem{File: loaded.Path, Key: fmt.Sprintf("tls.certificates[%d]", i), Text: text})
	}
	return wrong
}
