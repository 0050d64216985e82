// Package pop3client is the end of POP3 that collects mail (RFC 1939, 2449, 2595, 5034, 8314). It imports the standard
// library and its siblings only.
//
//	c, err := pop3client.Dial(ctx, "pop.example.com", nil) // TLS on port 995, verified
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	if err := c.Login(ctx, user, password); err != nil {
//		return err
//	}
//	for m, err := range c.UIDs(ctx) {
//		...
//	}
//	msg, err := c.Retr(ctx, 1)
//	if err != nil {
//		return err
//	}
//	if _, err := io.Copy(file, msg); err != nil { // streams: no message is ever held in memory
//		return err
//	}
//	if err := c.Dele(ctx, 1); err != nil {
//		return err
//	}
//	return c.Quit(ctx) // deletes
//
// DialURL does the first two steps by a POP URL. ProxyDialer makes an Options.DialContext that goes through a proxy.
//
// # What it promises
//
//   - A connection is as secure as Options.Security says, or there is none: no falling back from TLS, the server's
//     certificate is verified before a secret is sent, and what came before TLS is forgotten.
//   - A password goes out in a form that others could read only if Options.AllowCleartext is set.
//   - Whatever a server sends, memory and time are bounded: see the limits in Options.
//   - An error tells what happened: *pop3.Error is a refusal (-ERR) and the session goes on; *pop3.ProtocolError and
//     *ConnError are the end of the session. Text of a server is made fit to be shown.
//   - A message that was cut off is never reported as whole, and nothing is deleted before Quit.
//   - No command can be smuggled in by an argument.
//
// # What it puts up with
//
// Servers without CAPA, UIDL, TOP or PIPELINING; status lines without text, in lower case, longer than 512 octets or ended
// by a bare LF; bodies ended by `.` LF (from servers that end status lines so, or with Options.BareLF); sizes that are
// rounded, negative or wrong; text behind the numbers of STAT and LIST; unique-ids that are too long, empty, used twice,
// or surrounded by spaces; a "+" without its space, or "+OK" in its place; text in the greeting; hanging up in place of
// refusing. A final dot that is glued to the last line cannot be told from content: that ends with ErrTimeout.
package pop3client
