package sink

// NewSMTP returns a sink that hands messages to a server by SMTP, with TLS unless opt.Server.Security says otherwise, and
// signs in if there is a user. It is for a server that delivers to the recipients itself: one that relays elsewhere will
// find that the sender's SPF does not fit.
func NewSMTP(opt ServerOptions) (*Server, error) {
	opt.Server.LMTP = false
	return newServer("smtp", opt)
}
