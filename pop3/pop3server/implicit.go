package pop3server

// ImplicitTLS reports whether the connection came in over ServeTLS or ServeConnTLS: TLS from the first octet.
func (c *Conn) ImplicitTLS() bool { return c.implicitTLS }
