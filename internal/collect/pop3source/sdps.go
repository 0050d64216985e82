package pop3source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/internal/collect"
)

// sdpsSession is a session with a server that knows *ENV, the command of Demon's SDPS for the envelope of a message.
type sdpsSession struct{ *session }

var _ collect.Enveloper = sdpsSession{}

// Of the answer's lines the third has the sender and the fourth the recipient, as fetchmail reads it too. Servers that
// know more recipients write them below.
const (
	sdpsSender    = 2
	sdpsRecipient = 3
	maxRecipients = 100
)

// errNoEnvelope: *ENV was answered, but has no envelope in it.
var errNoEnvelope = errors.New("the answer to *ENV has no recipient in it")

// Envelope asks for the envelope. A server that does not know the command refuses each message: mail is not to be split
// by guessing.
func (s sdpsSession) Envelope(ctx context.Context, m collect.Remote) (sender string, recipients []string, err error) {
	s.endAhead()
	i := 0
	for line, err := range s.client.Extension(ctx, fmt.Sprintf("*ENV %d", m.Num)) {
		if err != nil {
			return "", nil, ofMessage(m, err)
		}
		line = strings.Trim(line, "<> \t")
		switch {
		case i == sdpsSender:
			sender = line
		case i >= sdpsRecipient && line != "" && len(recipients) <= maxRecipients:
			recipients = append(recipients, line)
		}
		i++
	}
	if len(recipients) == 0 || len(recipients) > maxRecipients {
		return "", nil, &collect.MessageError{Num: m.Num, Err: errNoEnvelope}
	}
	return sender, recipients, nil
}
