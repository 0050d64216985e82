package sasl

// ScramCredentials is what a server keeps of a password for SCRAM (RFC 5802 §3): enough to check a client's proof and to
// prove itself, not enough to sign in.
type ScramCredentials struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}
