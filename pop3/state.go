package pop3

// A State is a state of a session (RFC 1939 §3).
type State uint8

const (
	// StateAuthorization: the client must make itself known.
	StateAuthorization State = iota
	// StateTransaction: the maildrop is open and locked.
	StateTransaction
	// StateUpdate: the client said QUIT, marked messages are being removed.
	StateUpdate
)

// String returns the state's name as RFC 1939 writes it.
func (s State) String() string {
	switch s {
	case StateAuthorization:
		return "AUTHORIZATION"
	case StateTransaction:
		return "TRANSACTION"
	case StateUpdate:
		return "UPDATE"
	}
	return "INVALID"
}
