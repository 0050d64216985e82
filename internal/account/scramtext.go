package account

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/postamt/postamt/sasl"
)

// formatSCRAM writes credentials as RFC 5803 §2 does: SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY, in base64.
func formatSCRAM(h sasl.ScramHash, c sasl.ScramCredentials) string {
	b64 := base64.StdEncoding.EncodeToString
	return h.Mechanism(false) + "$" + strconv.Itoa(c.Iterations) + ":" + b64(c.Salt) +
		"$" + b64(c.StoredKey) + ":" + b64(c.ServerKey)
}

var errSCRAMText = errors.New("account: stored SCRAM keys are damaged")

// parseSCRAM reads what formatSCRAM writes. The error does not repeat the text.
func parseSCRAM(h sasl.ScramHash, s string) (sasl.ScramCredentials, error) {
	var c sasl.ScramCredentials
	s, ok := strings.CutPrefix(s, h.Mechanism(false)+"$")
	params, keys, ok2 := strings.Cut(s, "$")
	iterations, salt, ok3 := strings.Cut(params, ":")
	stored, server, ok4 := strings.Cut(keys, ":")
	if !ok || !ok2 || !ok3 || !ok4 {
		return c, errSCRAMText
	}
	var errs [4]error
	c.Iterations, errs[0] = strconv.Atoi(iterations)
	b64 := base64.StdEncoding.Strict()
	c.Salt, errs[1] = b64.DecodeString(salt)
	c.StoredKey, errs[2] = b64.DecodeString(stored)
	c.ServerKey, errs[3] = b64.DecodeString(server)
	if errors.Join(errs[:]...) != nil || c.Iterations < 1 || c.Iterations > maxIterations ||
		len(c.Salt) == 0 || len(c.Salt) > 64 || len(c.StoredKey) != h.Size() || len(c.ServerKey) != h.Size() {
		return sasl.ScramCredentials{}, errSCRAMText
	}
	return c, nil
}
