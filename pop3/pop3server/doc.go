// Package pop3server serves POP3 (RFC 1939) with CAPA, TOP, UIDL, STLS, AUTH, response codes and pipelining.
//
// A program brings a [Backend], which knows accounts and mail; the library keeps the protocol: numbering, marks, sizes,
// byte-stuffing, states, timers, limits, TLS and SASL.
//
//	srv := pop3server.New(pop3server.Options{Backend: backend, TLSConfig: tlsConfig})
//	go srv.Serve(listener110)
//	go srv.ServeTLS(listener995)
//	...
//	srv.Shutdown(ctx)
//
// What it promises:
//
//   - Only a complete QUIT line in TRANSACTION removes anything, and +OK to it means that the backend has done so.
//   - The backend's Maildrop is closed exactly once, whatever happens.
//   - A message whose octets do not come to the size that LIST shows is never passed off as complete.
//   - No password is taken over a connection that anybody can read, unless Options.Cleartext allows it.
//   - Lines, octets before sign-in, connections, failures and times are bounded; see Options.
//
// A Server and a Conn may be used by several goroutines. Each connection has one goroutine at a time, which calls the backend
// and the hooks; after a second without a command another one takes its place.
package pop3server
