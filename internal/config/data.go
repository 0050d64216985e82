package config

import (
	"strings"
	"unicode"
)

// checkData refuses what would make a folder that nobody meant.
func checkData(p *problems, data string) {
	switch {
	case data == "~" || strings.HasPrefix(data, "~/"):
		p.add("data", `%s begins with "~", which stands for no folder here: write the whole path`, show(data))
	case strings.ContainsFunc(data, unicode.IsControl):
		p.add("data", "%s has a control character, write the path of a folder", show(data))
	}
}
