package pop3test_test

import (
	"context"
	"fmt"
	"net"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// A transcript is played to a server that has its accounts. In a test, LoadTranscript and RunTranscript do the same with a
// file and fail the test.
func ExampleTranscript() {
	tr, err := pop3test.ParseTranscript("rset.txtar", []byte(`
RFC 1939 section 5, RSET.
-- setup --
account mrose tanstaaf
	message uid-1 octets 120
	message uid-2 octets 200
-- dialogue --
C-LOGIN: mrose tanstaaf
C: DELE 1
S~: +OK message 1 deleted
C: RSET
S~: +OK maildrop has 2 messages (320 octets)
C: STAT
S: +OK 2 320
C: RETR 1
S~: +OK 120 octets
S-MESSAGE: uid-1
C: LIST 2
S: +OK 2 201
`))
	if err != nil {
		fmt.Println(err)
		return
	}

	backend := new(pop3mem.Backend)
	for _, a := range tr.Accounts {
		if err := backend.AddAccount(a.User, a.Password); err != nil {
			fmt.Println(err)
			return
		}
		for _, m := range a.Messages {
			if err := backend.DeliverUID(a.User, m.UID, m.Octets); err != nil {
				fmt.Println(err)
				return
			}
		}
	}
	server := pop3server.New(pop3server.Options{Backend: backend, Cleartext: pop3server.CleartextLoopback})
	defer server.Close()

	err = tr.Play(context.Background(), pop3test.Target{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go server.ServeConn(theirs) // Close waits for it
		return ours, nil
	}})
	fmt.Println(err)
	// Output: rset.txtar:19: S: server says "+OK 2 200", expected "+OK 2 201"
}
