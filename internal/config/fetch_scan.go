package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// QuarantineDestinations returns what quarantine says. The configuration was checked.
func (f *Fetch) QuarantineDestinations() []Destination {
	all := make([]Destination, 0, len(f.Quarantine))
	for _, s := range f.Quarantine {
		if d, err := ParseDestination(s); err == nil {
			all = append(all, d)
		}
	}
	return all
}

// checkScan looks at who is to look at messages, and at what follows.
func (f *Fetch) checkScan(p *problems, key string) {
	actions := []string{"tag", "quarantine", "leave", "drop"}
	oneOf(p, key+".on_virus", f.OnVirus, actions...)
	oneOf(p, key+".on_spam", f.OnSpam, actions...)
	oneOf(p, key+".scan_down", f.ScanDown, "retry", "deliver")
	if f.ClamAV != "" {
		if network, path := SplitAddress(f.ClamAV); !(network == "unix" && path != "") && !validPort(f.ClamAV) {
			p.add(key+".clamav", `is not where clamd listens, write "unix:/run/clamav/clamd.ctl" or "127.0.0.1:3310"`)
		}
	}
	if f.Rspamd != "" {
		u, err := url.Parse(f.Rspamd)
		if path, ok := strings.CutPrefix(f.Rspamd, "unix:"); ok {
			if path == "" {
				p.add(key+".rspamd", `names no socket, write one like "unix:/run/rspamd/worker-normal.sock"`)
			}
		} else if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			p.add(key+".rspamd", `is not where rspamd listens, write "http://127.0.0.1:11333" or "unix:PATH"`)
		}
	}
	if f.RspamdPassword != "" {
		checkPassword(p, key, "rspamd_password", f.RspamdPassword)
	}
	quarantine := f.ClamAV != "" && f.OnVirus == "quarantine" || f.Rspamd != "" && f.OnSpam == "quarantine"
	if quarantine && len(f.Quarantine) == 0 {
		p.add(key, `has no quarantine, say where such mail goes: quarantine = ["maildir:PATH"]`)
	}
	if !quarantine && len(f.Quarantine) > 0 {
		p.add(key+".quarantine", `has nothing to go there, set on_virus or on_spam to "quarantine"`)
	}
	for i, s := range f.Quarantine {
		at := fmt.Sprintf("%s.quarantine[%d]", key, i)
		d, err := ParseDestination(s)
		switch {
		case err != nil:
			p.add(at, "%v", err)
		case d.Kind != ToStore && d.Kind != ToMaildir && d.Kind != ToMbox:
			p.add(at, "%s cannot be a quarantine, take store, maildir or mbox", show(s))
		case slices.Contains(f.To, s) || slices.Contains(f.Quarantine[:i], s):
			p.add(at, "%s is listed twice, remove one", show(s))
		}
	}
	if f.ClamAV != "" && f.OnVirus == "drop" || f.Rspamd != "" && f.OnSpam == "drop" {
		p.warn(key, `"drop" deletes mail on the server that was seen by nobody but the scanner`)
	}
}
