package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/postamt/postamt/internal/probe"
)

func ExampleRun() {
	report, err := probe.Run(context.Background(), probe.Options{
		Host: "pop.example.net",
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no network in examples")
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range report.Ports {
		fmt.Println(p.Port, p.Security, p.Problem)
	}
	// Output:
	// 995 tls no network in examples
	// 110 stls no network in examples
}
