package pop3_test

import (
	"errors"
	"fmt"

	"github.com/postamt/postamt/pop3"
)

func ExampleParseStatus() {
	st, err := pop3.ParseStatus("-ERR [IN-USE] Do you have another POP session running?")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(st.OK, st.Code, pop3.Printable(st.Text))
	// Output: false IN-USE Do you have another POP session running?
}

func ExampleCapabilities() {
	var caps pop3.Capabilities
	for _, line := range []string{"TOP", "SASL PLAIN SCRAM-SHA-256", "EXPIRE NEVER"} {
		c, err := pop3.ParseCapability(line)
		if err != nil {
			fmt.Println(err)
			return
		}
		caps = append(caps, c)
	}
	days, _, ok := caps.Expire()
	fmt.Println(caps.Has(pop3.CapUIDL), caps.SASL(), ok && days == pop3.Never)
	// Output: false [PLAIN SCRAM-SHA-256] true
}

func ExampleParseURL() {
	u, err := pop3.ParseURL("pop://rg;AUTH=+APOP@mail.eudora.com:8110")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.User, u.Auth, u.Address())
	_, err = pop3.ParseURL("pop://rg:secret@mail.eudora.com")
	fmt.Println(err)
	// Output:
	// rg +APOP mail.eudora.com:8110
	// pop3: malformed POP URL: a password is not allowed in it
}

// What a backend may return, and what a client may ask about what it read.
func ExampleError() {
	cause := errors.New("disk full")
	err := fmt.Errorf("open maildrop: %w", &pop3.Error{Code: pop3.CodeSysTemp, Text: "please try again later", Err: cause})
	fmt.Println(pop3.IsTemporary(err), pop3.IsAuth(err), errors.Is(err, cause))
	var reply *pop3.Error
	if errors.As(err, &reply) {
		fmt.Println(reply)
	}
	// Output:
	// true false true
	// -ERR [SYS/TEMP] please try again later
}
