package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	ss "github.com/zalando/go-keyring/secret_service"
)

// request is what is asked of the keyring.
type request struct {
	kind                  kind
	service, user, secret string
}

type kind int

const (
	get kind = iota
	set
	remove
)

// bus is held by the request that uses the module's connection to the session bus, of which there is one in a process.
var bus = make(chan struct{}, 1)

// run connects, carries the request out and closes the connection. The module knows no context, so it runs in a goroutine,
// and at the end of ctx the connection is closed under it. Only connecting itself cannot be ended: a bus that is there and
// silent keeps the goroutine, and the requests after it wait for that until their own end.
func run(ctx context.Context, req request) (string, error) {
	if err := reachable(); err != nil {
		return "", err
	}
	select {
	case bus <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	type outcome struct {
		secret string
		err    error
	}
	connected, done := make(chan *ss.SecretService, 1), make(chan outcome, 1)
	go func() {
		defer func() { <-bus }()
		var out outcome
		defer func() {
			if recover() != nil { // of what the module does not expect, and of a prompt at the end of its connection
				out = outcome{err: errors.New("it answers in a way that cannot be understood")}
			}
			done <- out
		}()
		service, err := ss.NewSecretService()
		if err != nil {
			out.err = fmt.Errorf("%w: %w", ErrUnreachable, err)
			return
		}
		defer service.Conn.Close()
		connected <- service
		out.secret, out.err = req.carryOut(service)
	}()
	select {
	case out := <-done:
		return out.secret, out.err
	case <-ctx.Done():
	}
	select {
	case service := <-connected:
		_ = service.Conn.Close()
		<-done
	default:
	}
	return "", ctx.Err()
}

// reachable refuses to go on where the module would start a session bus.
func reachable() error {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return nil
	}
	folder := filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	for _, name := range []string{"bus", "dbus-session"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: there is no session bus, which a desktop has and a daemon has not", ErrUnreachable)
}

// carryOut speaks the Secret Service API.
func (r request) carryOut(service *ss.SecretService) (string, error) {
	// This comes first because gnome-keyring may lose what it notes of a caller with its first message, if another one
	// leaves at that moment. It notes it again with the next; but if the lost one is OpenSession, gnome-keyring crashes.
	ring := service.GetLoginCollection()
	session, err := service.OpenSession()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer service.Close(session)
	if err := service.Unlock(ring.Path()); err != nil {
		return "", fmt.Errorf("%w: %w", ErrLocked, err)
	}
	attributes := map[string]string{"service": r.service, "username": r.user}
	if r.kind == set {
		label := fmt.Sprintf("Password for '%s' on '%s'", r.user, r.service) // go-keyring's words
		return "", service.CreateItem(ring, label, attributes, ss.NewSecret(session.Path(), r.secret))
	}
	items, err := service.SearchItems(ring, attributes)
	if err != nil {
		return "", err
	}
	if len(items) == 0 {
		return "", ErrNotFound
	}
	if r.kind == remove {
		for _, item := range items {
			err = errors.Join(err, service.Delete(item))
		}
		return "", err
	}
	if err := service.Unlock(items[0]); err != nil {
		return "", fmt.Errorf("%w: %w", ErrLocked, err)
	}
	secret, err := service.GetSecret(items[0], session.Path())
	if err != nil {
		return "", err
	}
	if len(secret.Value) > MaxSecret {
		return "", fmt.Errorf("the secret has more than %d octets", MaxSecret)
	}
	return string(secret.Value), nil
}
