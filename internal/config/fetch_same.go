package config

import "fmt"

// checkSame finds destinations that the journal could not tell apart: it knows a program by its path.
func (f *Fetch) checkSame(p *problems, key string) {
	first := map[string]int{}
	for i, s := range f.To {
		d, err := ParseDestination(s)
		if err != nil {
			continue // told already
		}
		if d.Kind != ToPipe {
			continue
		}
		program := d.Words[0]
		j, twice := first[program]
		if !twice {
			first[program] = i
		} else if f.To[j] != s { // the same words are told elsewhere
			p.add(fmt.Sprintf("%s.to[%d]", key, i), "%s is the program of two destinations, which could not be told apart: "+
				"give one of them a link or a script of its own", show(program))
		}
	}
}
