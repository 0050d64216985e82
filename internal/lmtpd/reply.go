package lmtpd

import (
	"context"
	"errors"
	"strconv"
	"syscall"

	"github.com/postamt/postamt/internal/mailstore"
)

// A reply is one line to the other end: code, enhanced status code (RFC 3463) and text. The zero reply is none.
type reply struct {
	code     int
	enhanced string
	text     string
}

func (r reply) ok() bool { return r.code/100 == 2 }

// appendTo appends the reply as a line, with the recipient it is for, if it is for one.
func (r reply) appendTo(b []byte, recipient string) []byte {
	b = strconv.AppendInt(b, int64(r.code), 10)
	b = append(b, ' ')
	if r.enhanced != "" {
		b = append(b, r.enhanced...)
		b = append(b, ' ')
	}
	if recipient != "" {
		b = append(b, '<')
		b = append(b, recipient...)
		b = append(b, "> "...)
	}
	b = append(b, r.text...)
	return append(b, '\r', '\n')
}

func tooLarge(limit int64) reply {
	return reply{552, "5.3.4", "message is larger than " + strconv.FormatInt(limit, 10) + " octets"}
}

// storeReply says what went wrong in the store, without telling anything of its insides. What may pass is temporary,
// so that the MTA keeps the message and tries again.
func storeReply(err error, maxMessage int64) reply {
	switch {
	case err == nil:
		return reply{250, "2.0.0", "delivered"}
	case errors.Is(err, mailstore.ErrTooLarge):
		return tooLarge(maxMessage)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return reply{452, "4.3.1", "no room on the disk, try again later"}
	case errors.Is(err, context.DeadlineExceeded):
		return reply{451, "4.3.0", "store is too slow, try again later"}
	default:
		return reply{451, "4.3.0", "store is not available, try again later"}
	}
}
