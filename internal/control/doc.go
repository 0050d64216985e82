// Package control is how a command speaks with the daemon that runs on the same data folder: a unix socket that only the
// daemon's user can open, one request and one reply for each connection, each one line of JSON.
//
// It is not a public interface: command and daemon are the same program.
package control
