package secret_test

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/collect/secret"
)

func ExampleParse() {
	from, err := secret.Parse("command:printf '%s\n' sesame", secret.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	pass, err := from.Get(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(from, "prints", len(pass), "octets")
	// Output: the command "printf" prints 6 octets
}
