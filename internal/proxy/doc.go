// Package proxy connects through SOCKS5 (RFC 1928) and HTTP CONNECT (RFC 9110 §9.3.6) proxies.
package proxy
