package sasl_test

import (
	"crypto/tls"
	"fmt"

	"github.com/postamt/postamt/sasl"
)

// A server checks a client that speaks PLAIN. The messages are what a protocol's base64 lines had in them.
func ExampleNewPlainServer() {
	server := sasl.NewPlainServer(func(authz, user, pass string) error {
		if user != "tim" || pass != "tanstaaftanstaaf" || authz != "" {
			return sasl.ErrCredentials
		}
		return nil
	})
	response, err := sasl.DecodeInitialResponse([]byte("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, done, err := server.Next(response)
	_, user := server.Names()
	fmt.Println(done, err, user)
	// Output: true <nil> tim
}

// Both ends of SCRAM-SHA-256. The server keeps only what DeriveScramCredentials made of the password.
func Example_scram() {
	kept, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", sasl.NewSalt(), sasl.MinIterations)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{
		Lookup: func(_, user string) (sasl.ScramCredentials, error) {
			if user != "user" {
				return sasl.FakeScramCredentials(sasl.SHA256, []byte("a key of the server"), user, sasl.MinIterations), nil
			}
			return kept, nil
		},
	})
	client := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: "user", Password: "pencil"})

	mech, message, err := client.Start()
	for done := false; !done && err == nil; {
		if message, done, err = server.Next(message); err == nil {
			message, err = client.Next(message)
		}
	}
	fmt.Println(mech, err, client.Verified())
	// Output: SCRAM-SHA-256 <nil> true
}

func ExampleNewCRAMMD5Client() {
	client := sasl.NewCRAMMD5Client("tim", "tanstaaftanstaaf")
	response, err := client.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	fmt.Printf("%s %v\n", response, err)
	// Output: tim b913a602c7eda7a495b4e6e7334d3890 <nil>
}

func ExampleNewLoginClient() {
	client := sasl.NewLoginClient("tim", "tanstaaftanstaaf")
	user, _ := client.Next([]byte("Username:"))
	pass, _ := client.Next([]byte("Password:"))
	fmt.Printf("%s %s\n", user, pass)
	// Output: tim tanstaaftanstaaf
}

// A server refuses a token, and the client learns why.
func ExampleNewOAuthBearerClient() {
	server := sasl.NewOAuthBearerServer(func(b sasl.Bearer) (string, error) {
		return "", &sasl.TokenError{Status: "insufficient_scope", Scope: "https://mail.example.com/pop"}
	})
	client := sasl.NewOAuthBearerClient(sasl.Bearer{User: "tim@example.com", Token: "an-access-token", Host: "pop.example.com", Port: 995})
	mech, message, err := client.Start()
	for done := false; !done && err == nil; {
		if message, done, err = server.Next(message); err == nil {
			message, err = client.Next(message)
		}
	}
	fmt.Println(mech, err != nil)
	fmt.Println(client.Refused())
	// Output:
	// OAUTHBEARER true
	// sasl: the server refused the token (insufficient_scope), it asks for the scope "https://mail.example.com/pop"
}

func ExampleSelectMechanism() {
	offered := []string{"PLAIN", "SCRAM-SHA-256"}
	fmt.Println(sasl.SelectMechanism(offered, sasl.SelectOptions{TLS: true}))
	fmt.Printf("%q\n", sasl.SelectMechanism(offered[:1], sasl.SelectOptions{})) // PLAIN wants TLS
	// Output:
	// SCRAM-SHA-256
	// ""
}

// A client signs in with the best mechanism that the server lists and the connection allows.
func ExampleNewClient() {
	offered := []string{"PLAIN", "LOGIN", "SCRAM-SHA-256"}
	var state *tls.ConnectionState // of the connection, nil without TLS
	binding := sasl.ClientBinding(state)
	mech := sasl.SelectMechanism(offered, sasl.SelectOptions{TLS: state != nil, Binding: binding != nil})
	if mech == "" {
		fmt.Println("no way to sign in on this connection")
		return
	}
	client, err := sasl.NewClient(mech, sasl.ClientOptions{User: "tim", Password: "tanstaaftanstaaf", Offered: offered, Binding: binding})
	if err != nil {
		fmt.Println(err)
		return
	}
	name, initial, err := client.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("AUTH %s, %.8s\n", name, initial)
	// Output: AUTH SCRAM-SHA-256, n,,n=tim
}

// An access token takes the place of a password.
func ExampleNewClient_token() {
	mech := sasl.SelectMechanism([]string{"XOAUTH2", "PLAIN"}, sasl.SelectOptions{TLS: true, Token: true})
	client, err := sasl.NewClient(mech, sasl.ClientOptions{User: "tim@example.com", Token: "an-access-token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, initial, err := client.Start()
	fmt.Printf("%s %q %v\n", mech, initial, err)
	// Output: XOAUTH2 "user=tim@example.com\x01auth=Bearer an-access-token\x01\x01" <nil>
}

func ExampleAPOPDigest() {
	fmt.Println(sasl.APOPDigest("<1896.697170952@dbc.mtview.ca.us>", []byte("tanstaaf")))
	// Output: c4c9334bac560ecc979e58001b3e22fb
}
