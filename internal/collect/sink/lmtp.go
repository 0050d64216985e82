package sink

// NewLMTP returns a sink that hands messages to a server by LMTP, such as dovecot or cyrus on the same machine. On a Unix
// socket (an address that begins with a slash) nothing is encrypted; elsewhere opt.Server.Security decides.
func NewLMTP(opt ServerOptions) (*Server, error) {
	opt.Server.LMTP = true
	return newServer("lmtp", opt)
}
