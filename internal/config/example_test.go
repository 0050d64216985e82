package config_test

import (
	"fmt"

	"github.com/postamt/postamt/internal/config"
)

func ExampleParse() {
	_, err := config.Parse("postamt.toml", []byte(`
[pop3]
listen = [":110"]
idle_timeout = "5m"
max_message = "10MB"
`))
	fmt.Println(err)
	// Output:
	// postamt.toml:4: pop3.idle_timeout: 5m is too short, RFC 1939 asks for at least 10m
	// postamt.toml:5: pop3.max_message: unknown key, it belongs in the section [lmtp]
}

func ExampleDefault() {
	c := config.Default()
	c.Data = "/srv/mail"
	if err := c.Resolve(""); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.SplitAddress(c.LMTP.Listen[0]))
	// Output: unix /srv/mail/lmtp.sock
}
