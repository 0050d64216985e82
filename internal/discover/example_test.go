package discover_test

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/discover"
)

func ExampleFind() {
	address, err := discover.ParseAddress("bob@gmail.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := discover.Find(context.Background(), address, discover.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range found.POP3() {
		fmt.Println(c.URL(), c.Users, c.Origin)
	}
	// Output: pop3s://pop.gmail.com [bob@gmail.com] built-in
}
