package office

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/systemd"
)

// The services that ports are for; systemd sockets have these names.
const (
	servicePOP3  = "pop3"
	servicePOP3S = "pop3s"
	serviceLMTP  = "lmtp"
)

// A place is where a configuration wants to listen.
type place struct{ service, address string }

func places(cfg *config.Config) []place {
	var all []place
	add := func(service string, addresses []string) {
		for _, a := range addresses {
			all = append(all, place{service, a})
		}
	}
	add(servicePOP3, cfg.POP3.Listen)
	add(servicePOP3S, cfg.POP3.ListenTLS)
	add(serviceLMTP, cfg.LMTP.Listen)
	return all
}

// keyOf names the configuration's key for a service in errors.
var keyOf = map[string]string{servicePOP3: "pop3.listen", servicePOP3S: "pop3.listen_tls", serviceLMTP: "lmtp.listen"}

// openPorts opens what the configuration wants, taking over those of open that are the same. It returns all that are to
// be used and those that are new. On an error it closes the new ones.
func openPorts(ctx context.Context, cfg *config.Config, open []*port) (all, fresh []*port, err error) {
	have := make(map[place]*port)
	for _, p := range open {
		if p.inherited {
			all = append(all, p)
		} else {
			have[place{p.service, p.address}] = p
		}
	}
	defer func() {
		if err != nil {
			closePorts(fresh)
		}
	}()
	mode := socketMode(cfg)
	for _, w := range places(cfg) {
		p := have[w]
		delete(have, w) // "127.0.0.1:0" may be wanted twice
		if p == nil {
			if p, err = openPort(ctx, w); err != nil {
				if also := within(w, fresh); also != nil && errors.Is(err, syscall.EADDRINUSE) {
					err = fmt.Errorf("%s: %s overlaps with %s of %s, leave one of them out", keyOf[w.service], w.address, also.address, keyOf[also.service])
				} else if former := overlapping(w, open); former != nil && errors.Is(err, syscall.EADDRINUSE) {
					err = fmt.Errorf("%s: %s overlaps with %s, which is open: that change needs a restart of the daemon", keyOf[w.service], w.address, former.address)
				}
				return nil, nil, err
			}
			fresh = append(fresh, p)
		}
		if err = p.setMode(mode); err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	return all, fresh, nil
}

// within returns a port that was opened for the same configuration and that is all addresses where a wanted one is one of
// them, or the other way round.
func within(w place, fresh []*port) *port {
	host, number, err := net.SplitHostPort(w.address)
	for _, p := range fresh {
		h, n, err2 := net.SplitHostPort(p.address)
		if err == nil && err2 == nil && n == number && (wildcard(h) || wildcard(host) || h == host) {
			return p
		}
	}
	return nil
}

func wildcard(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }

// family returns the network for an address: that of an IPv4 or IPv6 address is its own, where Go takes "0.0.0.0" and
// "[::]" for both. So they can stand side by side, and "0.0.0.0" opens nothing on IPv6. A name, or none, is both.
func family(network, address string) string {
	host, _, err := net.SplitHostPort(address)
	ip, ipErr := netip.ParseAddr(host)
	switch {
	case network != "tcp" || err != nil || ipErr != nil:
		return network
	case ip.Is4():
		return "tcp4"
	}
	return "tcp6"
}

// overlapping returns an open port of the same number as a wanted one: the kernel does not give out 0.0.0.0:110 while
// 127.0.0.1:110 is open.
func overlapping(w place, open []*port) *port {
	_, number, err := net.SplitHostPort(w.address)
	for _, p := range open {
		_, taken, err2 := net.SplitHostPort(p.l.Addr().String())
		if err == nil && err2 == nil && number == taken {
			return p
		}
	}
	return nil
}

func openPort(ctx context.Context, w place) (*port, error) {
	network, address := config.SplitAddress(w.address)
	if network == "unix" {
		if err := removeStale(ctx, address); err != nil {
			return nil, fmt.Errorf("%s: %w", keyOf[w.service], err)
		}
	}
	var lc net.ListenConfig
	if w.service != serviceLMTP {
		// pop3server sets the port's options, and connections have them from the port: unless net sets its own for each,
		// and on Multipath TCP, of which the kernel does not take them.
		lc.KeepAlive = -1
		lc.SetMultipathTCP(false)
	}
	l, err := lc.Listen(ctx, family(network, address), address)
	if err != nil {
		return nil, listenError(keyOf[w.service], w.address, err)
	}
	return &port{service: w.service, address: w.address, l: l.(deadlineListener)}, nil
}

// listenError says what to do about an address that cannot be had.
func listenError(key, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another program listens on %s, stop it or take another address: %w", key, address, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: this user may not listen on %s, take a port from 1024 up or let systemd open it: %w", key, address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine does not have the address %s, take one that it has: %w", key, address, err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: the folder for the socket %s is not there, make it first: %w", key, address, err)
	}
	return fmt.Errorf("%s: cannot listen on %s: %w", key, address, err)
}

// removeStale removes a socket that nobody listens on any more.
func removeStale(ctx context.Context, path string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is there and no socket, take another path", path)
	}
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("another program listens on %s, stop it or take another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// setMode sets who may connect to a unix socket that we made.
func (p *port) setMode(mode os.FileMode) error {
	if p.l.Addr().Network() != "unix" || p.inherited {
		return nil
	}
	return os.Chmod(p.l.Addr().String(), mode)
}

func socketMode(cfg *config.Config) os.FileMode {
	mode, err := strconv.ParseUint(cfg.LMTP.SocketMode, 8, 32)
	if err != nil { // the check of the configuration does not let it come here
		mode = 0o600
	}
	return os.FileMode(mode).Perm()
}

// inherit makes ports of the sockets that systemd opened.
func inherit(sockets []systemd.Socket) ([]*port, error) {
	var ports []*port
	for _, s := range sockets {
		l, ok := s.Listener.(deadlineListener)
		if _, known := keyOf[s.Name]; !known || !ok {
			for _, s := range sockets {
				_ = s.Close()
			}
			return nil, fmt.Errorf("the systemd socket %q is not one we know, set FileDescriptorName= to pop3, pop3s or lmtp", s.Name)
		}
		if ul, ok := l.(*net.UnixListener); ok {
			ul.SetUnlinkOnClose(false) // it is systemd's
		}
		ports = append(ports, &port{service: s.Name, address: "systemd", l: l, inherited: true})
	}
	return ports, nil
}

func closePorts(ports []*port) {
	for _, p := range ports {
		_ = p.l.Close()
	}
}
