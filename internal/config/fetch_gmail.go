package config

import (
	"fmt"
	"strings"
)

// parseGmail reads "ADDRESS LABEL..." behind "gmail:".
func parseGmail(d *Destination, words []string) error {
	if len(words) == 0 || !strings.Contains(words[0], "@") || strings.ContainsAny(words[0], "<>\r\n\x00") {
		return fmt.Errorf(`names no mailbox, write one like "gmail:bob@gmail.com" or "gmail:bob@gmail.com INBOX UNREAD 'From work'"`)
	}
	d.Name, d.Words = words[0], words[1:]
	return nil
}

// checkGmail looks at what a destination at Gmail needs.
func (f *Fetch) checkGmail(p *problems, key string, c *Config) {
	mailboxes := 0
	for _, d := range f.Destinations() {
		if d.Kind == ToGmail {
			mailboxes++
		}
	}
	wanted := mailboxes > 0
	switch {
	case mailboxes > 1:
		p.add(key+".to", "has two gmail: destinations, but only one sign-in at Google: put all labels into one, or make a [[fetch]] for each")
	case wanted && f.GmailOAuth == "":
		p.add(key, `has a gmail: destination, but no gmail_oauth: name the [[oauth]] for it`)
	case !wanted && f.GmailOAuth != "":
		p.add(key+".gmail_oauth", "is for a gmail: destination, and to has none")
	case wanted && c.FindOAuth(f.GmailOAuth) == nil:
		p.add(key+".gmail_oauth", "there is no [[oauth]] with the name %s, write one", show(f.GmailOAuth))
	}
}
