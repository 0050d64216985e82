package office

import (
	"context"
	"errors"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/scan"
	"github.com/postamt/postamt/internal/config"
)

// scan adds to rules who looks at messages on their way. ready tells before each run whether mail can go into quarantine.
func (b *builder) scan(f *config.Fetch, r *collect.Rules) (ready []func(context.Context) error, err error) {
	if f.ClamAV == "" && f.Rspamd == "" {
		return nil, nil
	}
	p := &scan.Policy{DeliverUnscanned: f.ScanDown == "deliver"}
	var errs [4]error
	if p.OnVirus, errs[0] = scan.ParseAction(f.OnVirus); f.ClamAV != "" {
		p.Clamd = new(scan.Clamd)
		p.Clamd.Network, p.Clamd.Address = config.SplitAddress(f.ClamAV)
	}
	if p.OnSpam, errs[1] = scan.ParseAction(f.OnSpam); f.Rspamd != "" {
		opt := scan.RspamdOptions{Address: f.Rspamd}
		if f.RspamdPassword != "" {
			opt.Password, errs[2] = b.password(f.RspamdPassword, "rspamd", f.Name)
		}
		p.Rspamd, errs[3] = scan.NewRspamd(opt)
	}
	for _, d := range f.QuarantineDestinations() {
		s, check, err := b.sink(f, d)
		if err != nil {
			return nil, err
		}
		r.Quarantine = append(r.Quarantine, s)
		if check != nil {
			ready = append(ready, check)
		}
	}
	r.Scan = p
	return ready, errors.Join(errs[:]...)
}
