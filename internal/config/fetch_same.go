package config

import "fmt"

// checkSame finds destinations that the journal could not tell apart: it knows a program by its path, and a mailbox at
// Gmail by its address.
func (f *Fetch) checkSame(p *problems, key string) {
	first := map[string]int{}
	for i, s := range f.To {
		d, err := ParseDestination(s)
		if err != nil {
			continue // told already
		}
		var same, mend string
		switch d.Kind {
		case ToPipe:
			same, mend = d.Words[0], "is the program of two destinations, which could not be told apart: give one of them a link or a script of its own"
		case ToGmail:
			same, mend = d.Name, "is a destination already: put all labels into one"
		default:
			continue
		}
		j, twice := first[d.Kind+same]
		if !twice {
			first[d.Kind+same] = i
		} else if f.To[j] != s { // the same words are told elsewhere
			p.add(fmt.Sprintf("%s.to[%d]", key, i), "%s %s", show(same), mend)
		}
	}
}
