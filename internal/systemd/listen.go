package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A Socket is a listening socket that the service manager opened for us.
type Socket struct {
	// Name is FileDescriptorName= of the socket unit; without one, the unit's name.
	Name string
	net.Listener
}

const (
	firstFD    = 3   // SD_LISTEN_FDS_START
	maxSockets = 256 // more is a mistake
)

// Sockets takes over the sockets passed to this process, none if there are none. Call it once, before anything else is
// opened: the descriptors then belong to the Listeners. Pass os.Getenv and os.Getpid().
func Sockets(getenv func(string) string, pid int) ([]Socket, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return nil, nil // meant for another process
	}
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || count < 0 || count > maxSockets {
		return nil, fmt.Errorf("systemd: LISTEN_FDS=%q is not a number of sockets", getenv("LISTEN_FDS"))
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	var sockets []Socket
	for i := range count {
		name := "unknown"
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		fd := firstFD + i
		syscall.CloseOnExec(fd)
		l, err := listener(fd, name)
		if err != nil {
			for _, s := range sockets {
				s.Close()
			}
			for rest := fd + 1; rest < firstFD+count; rest++ {
				syscall.Close(rest)
			}
			return nil, err
		}
		sockets = append(sockets, Socket{Name: name, Listener: l})
	}
	return sockets, nil
}

// listener makes a Listener of a descriptor, which it closes.
func listener(fd int, name string) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err != nil || listening == 0 {
		return nil, fmt.Errorf("systemd: descriptor %d (%s) is not a listening stream socket: use ListenStream= and Accept=no in the socket unit", fd, name)
	}
	l, err := net.FileListener(f) // on a copy
	if err != nil {
		return nil, fmt.Errorf("systemd: taking over descriptor %d (%s): %w", fd, name, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the file belongs to the socket unit
	}
	return l, nil
}
