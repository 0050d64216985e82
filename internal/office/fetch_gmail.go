package office

import (
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/oauth"
)

// gmail translates a destination at Gmail.
func (b *builder) gmail(f *config.Fetch, d config.Destination) (collect.Sink, error) {
	get, refused, err := b.token(f, f.GmailOAuth, oauth.UseGmailInsert)
	if err != nil {
		return nil, err
	}
	return sink.NewGmail(sink.GmailOptions{User: d.Name, Token: get, Refused: refused, Labels: d.Words, MarkSpam: f.GmailSpam})
}
