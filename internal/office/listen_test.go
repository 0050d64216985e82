package office

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

// "0.0.0.0" and "[::]" with the same port stand side by side, as in the README: each is one family.
func TestBothFamiliesOnOnePort(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	} else {
		_ = l.Close()
	}
	for _, tt := range []struct{ network, other, open string }{
		{"tcp4", "0.0.0.0:0", "[::]:%s"},
		{"tcp6", "[::]:0", "0.0.0.0:%s"},
	} {
		// Somebody else may have the number in the other family: a few tries find one that nobody has.
		var errs []error
		for range 10 {
			err := besideEachOther(t, tt.network, tt.other, tt.open)
			if err == nil {
				errs = nil
				break
			}
			errs = append(errs, err)
		}
		if errs != nil {
			t.Errorf("beside %s: %v", tt.other, errors.Join(errs...))
		}
	}
}

// besideEachOther opens a port of ours while another one with its number is open.
func besideEachOther(t *testing.T, network, address, ours string) error {
	t.Helper()
	other, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	_, number, _ := net.SplitHostPort(other.Addr().String())
	p, err := openPort(t.Context(), place{servicePOP3, fmt.Sprintf(ours, number)})
	if err != nil {
		return err
	}
	return p.l.Close()
}

func TestFamily(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"0.0.0.0:110": "tcp4", "127.0.0.1:110": "tcp4", "[::]:110": "tcp6", "[fe80::1%eth0]:110": "tcp6",
		":110": "tcp", "localhost:110": "tcp",
	} {
		if got := family("tcp", address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if got := family("unix", "/run/x.sock"); got != "unix" {
		t.Errorf("a unix socket: %s", got)
	}
}

// Addresses of one configuration that are in each other's way are told apart from another program's.
func TestAddressesOfOneConfigurationOverlap(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, number, _ := net.SplitHostPort(l.Addr().String())
	ours := &port{service: servicePOP3, address: "127.0.0.1:" + number, l: l.(deadlineListener)}
	defer closePorts([]*port{ours})
	for address, want := range map[string]bool{
		"0.0.0.0:" + number: true, ":" + number: true, "127.0.0.1:" + number: true, "127.0.0.2:" + number: false, "0.0.0.0:1": false,
	} {
		if got := within(place{servicePOP3S, address}, []*port{ours}) != nil; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
