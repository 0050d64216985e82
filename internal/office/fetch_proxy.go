package office

import (
	"context"
	"net"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/pop3/pop3client"
)

// dialer returns how the server of a [[fetch]] is connected to, nil for directly.
func (b *builder) dialer(f *config.Fetch) (func(ctx context.Context, network, addr string) (net.Conn, error), error) {
	if f.Proxy == "" {
		return nil, nil
	}
	user, host := f.ProxyUser()
	password, err := b.password(f.ProxyPassword, host, user)
	if err != nil {
		return nil, err
	}
	return pop3client.ProxyDialer(f.Proxy, func(ctx context.Context) (string, error) {
		secret, err := password(ctx)
		if err != nil && ctx.Err() == nil {
			err = &collect.PermanentError{Err: err} // as with the other password of the account
		}
		return secret, err
	})
}
