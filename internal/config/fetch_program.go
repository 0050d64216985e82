package config

import (
	"fmt"

	"github.com/postamt/postamt/internal/argv"
)

// checkPrograms warns of programs that are not there: mail waits until they are.
func (l *Loaded) checkPrograms(p *problems) {
	for i := range l.Fetch {
		f := &l.Fetch[i]
		for j, s := range f.To {
			d, err := ParseDestination(s)
			if err != nil || d.Kind != ToPipe {
				continue
			}
			if err := argv.Find(d.Words[0], "/"); err != nil { // the folder in which it is started
				p.warn(fmt.Sprintf("fetch[%d].to[%d]", i, j), "%v; until then mail stays on the server", err)
			}
		}
		if words, err := argv.Split(f.Filter); err == nil && len(words) > 0 {
			if err := argv.Find(words[0], ""); err != nil {
				p.warn(fmt.Sprintf("fetch[%d].filter", i), "%v; until then mail stays on the server", err)
			}
		}
	}
}
