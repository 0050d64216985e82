package pop3source_test

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/collect/pop3source"
)

func ExampleNew() {
	source, err := pop3source.New(pop3source.Options{
		URL:      "pop3s://alice@pop.example.com",
		Password: func(context.Context) (string, error) { return "from wherever it is kept", nil },
	})
	fmt.Println(source.User(), source.Host(), err)
	// Output: alice pop.example.com <nil>
}
