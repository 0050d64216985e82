package pop3

// A ResponseCode is the extended response code of a reply, without its brackets (RFC 2449 §8). The empty code means that
// the reply carries none.
type ResponseCode string

// The response codes that POP3 knows.
const (
	// CodeInUse: the maildrop is locked by another session; the credentials were right (RFC 2449 §8.1.2).
	CodeInUse ResponseCode = "IN-USE"
	// CodeLoginDelay: the last sign-in was too short a time ago (RFC 2449 §8.1.1).
	CodeLoginDelay ResponseCode = "LOGIN-DELAY"
	// CodeSysTemp: a fault of the system that is likely to pass (RFC 3206 §4).
	CodeSysTemp ResponseCode = "SYS/TEMP"
	// CodeSysPerm: a fault of the system that needs an operator (RFC 3206 §4).
	CodeSysPerm ResponseCode = "SYS/PERM"
	// CodeAuth: the credentials, or what may be done with them, are the problem (RFC 3206 §5).
	CodeAuth ResponseCode = "AUTH"
	// CodeUTF8: the message needs UTF8 mode (RFC 6856 §5).
	CodeUTF8 ResponseCode = "UTF8"
)
