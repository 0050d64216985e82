package config

import (
	"reflect"
	"time"
)

// Default returns the configuration of a machine without a file. Every value is safe to run with: an ordinary user can
// start it, and nothing can be reached from other machines.
func Default() Config {
	return Config{
		POP3: POP3{
			Listen:         []string{"127.0.0.1:1110"},
			ListenTLS:      []string{"127.0.0.1:1995"},
			Cleartext:      "loopback",
			Implementation: true,
			IdleTimeout:    Duration(10 * time.Minute),
		},
		LMTP: LMTP{
			Listen:             []string{"unix:lmtp.sock"},
			SocketMode:         "0660",
			MaxMessage:         50 << 20,
			RecipientDelimiter: "+",
		},
		TLS: TLS{MinVersion: "1.2"},
		SignIn: SignIn{
			Argon2Memory:           19 << 20,
			Argon2Passes:           2,
			Remember:               Duration(10 * time.Minute),
			SCRAM:                  true,
			SCRAMIterations:        16384,
			FreeFailuresPerAddress: 10,
			FreeFailuresPerAccount: 20,
			MaxDelay:               Duration(time.Minute),
		},
		Limits: Limits{
			Connections:           10_000,
			ConnectionsPerAddress: 100,
			ConnectionsPerAccount: 16,
			OctetsBeforeSignIn:    64 << 10,
			BadCommands:           20,
			HandshakeTimeout:      Duration(10 * time.Second),
			WriteTimeout:          Duration(time.Minute),
			LMTPConnections:       100,
		},
		Store: Store{
			UndeleteWindow: Duration(14 * 24 * time.Hour),
			SweepInterval:  Duration(time.Hour),
			ListingCache:   64 << 20,
		},
		Log: Log{Format: "text", Level: "info"},
		Collector: Collector{
			Parallel:   8,
			PerHost:    2,
			AlarmAfter: Duration(24 * time.Hour),
		},
	}
}

// DefaultFetch returns what a [[fetch]] is before its keys are read.
func DefaultFetch() Fetch {
	return Fetch{
		TLS:        "required",
		Trust:      "authorities",
		Timeout:    Duration(2 * time.Minute),
		MaxMessage: 64 << 30,
		Start:      "all",
		Trace:      true,
		Idle:       true,
		Interval:   Duration(5 * time.Minute),
		OnVirus:    "leave",
		OnSpam:     "tag",
		ScanDown:   "retry",
	}
}

// elementDefault returns what an element of a list of sections is before its keys are read.
func elementDefault(t reflect.Type) reflect.Value {
	if t == reflect.TypeFor[Fetch]() {
		return reflect.ValueOf(DefaultFetch())
	}
	if t == reflect.TypeFor[OAuth]() {
		return reflect.ValueOf(DefaultOAuth())
	}
	return reflect.Zero(t)
}
