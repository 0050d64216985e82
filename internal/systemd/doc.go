// Package systemd speaks to the service manager: it takes over the sockets that systemd opened (sd_listen_fds(3)) and
// tells it how the service is (sd_notify(3)). Without systemd everything here does nothing, without an error.
package systemd
