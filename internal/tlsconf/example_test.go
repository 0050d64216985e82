package tlsconf_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/tlsconf"
)

func ExampleOpen() {
	data, err := os.MkdirTemp("", "postamt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)
	certs, err := tlsconf.Open(tlsconf.Options{Dir: filepath.Join(data, "tls"), Hostname: "mail.example.org"})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", certs.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	fmt.Println(certs.List()[0].Names)
	// Output: [mail.example.org localhost 127.0.0.1 ::1]
}
