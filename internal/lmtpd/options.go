package lmtpd

import (
	"context"
	"log/slog"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
)

// A Store is the part of [mailstore.Store] that delivery needs.
type Store interface {
	Begin(ctx context.Context, env mailstore.Envelope) (mailstore.Delivery, error)
}

// A Directory is the part of [account.Directory] that delivery needs.
type Directory interface {
	Recipient(ctx context.Context, address string) (account.Account, error)
}

// Options say how a Server works. Store and Directory are required; every other zero value is a sound default.
type Options struct {
	Store     Store
	Directory Directory
	// Hostname is what the greeting and the trace lines say. Default "localhost".
	Hostname string
	// MaxMessage is the largest message taken, in octets as they come in, after dots are unstuffed. Default 50 MiB.
	MaxMessage int64
	// MaxRecipients is the most recipients of one message. Default 1000; RFC 5321 §4.5.3.1.8 asks for 100 at least.
	MaxRecipients int
	// MaxConnections is the most connections at a time. One more is told to come again later. Default 100.
	MaxConnections int
	// MaxBadCommands is how many bad commands in a row end a connection. Default 20.
	MaxBadCommands int
	// CommandTimeout is the longest wait for the next command (RFC 5321 §4.5.3.2.7). Default 5 minutes.
	CommandTimeout time.Duration
	// DataTimeout is the longest wait for more octets of a message (RFC 5321 §4.5.3.2.5). Default 3 minutes.
	DataTimeout time.Duration
	// MessageTimeout is the longest time for all of a message, so that octets that drip do not hold a connection for ever.
	// Default 1 hour.
	MessageTimeout time.Duration
	// WriteTimeout is the longest wait for the other end to take a reply. Default 1 minute.
	WriteTimeout time.Duration
	// StoreTimeout bounds each step of the store and the directory. Default 2 minutes.
	StoreTimeout time.Duration
	// Trace puts Return-Path and Received lines before each message.
	Trace bool
	// Logger gets one line for each transaction. Default: nothing is logged.
	Logger *slog.Logger
	// Observe, if set, is told of each transaction that came to DATA. It is called by many goroutines and must not block.
	Observe func(Transaction)
	// ConnOpen and ConnClose, if set, are called when a connection begins and ends, under the same terms.
	ConnOpen, ConnClose func()
	// ConnRefused, if set, is called for each connection beyond MaxConnections, under the same terms.
	ConnRefused func()
	// Now is the clock of trace lines and durations. Default time.Now.
	Now func() time.Time
}

// A Transaction is one message that was offered, for logs and metrics.
type Transaction struct {
	// Recipients are those that got a reply after DATA; Result is its code, the same for all.
	Recipients, Result int
	// Octets is the size of the message as it came in.
	Octets int64
	// Duration is from DATA to the last reply.
	Duration time.Duration
}

const (
	maxLine = 2048 // octets of a command, with its line end
	maxPath = 512  // octets of an address
	bufSize = 64 << 10
)

func (o Options) withDefaults() Options {
	setDefault(&o.Hostname, "localhost")
	setDefault(&o.MaxMessage, 50<<20)
	setDefault(&o.MaxRecipients, 1000)
	setDefault(&o.MaxConnections, 100)
	setDefault(&o.MaxBadCommands, 20)
	setDefault(&o.CommandTimeout, 5*time.Minute)
	setDefault(&o.DataTimeout, 3*time.Minute)
	setDefault(&o.MessageTimeout, time.Hour)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.StoreTimeout, 2*time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
