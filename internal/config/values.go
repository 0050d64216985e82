package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Duration is a length of time, never negative, written as "10m", "36h", "14d" or "1h30m".
type Duration time.Duration

// A Size is a number of octets, never negative, written as "64KiB" (1024), "50MB" (1000) or a plain number.
type Size int64

type unit struct {
	name string
	n    int64
}

// The longest unit of its value comes first, so that formatting takes it.
var durationUnits = [...]unit{
	{"d", int64(24 * time.Hour)},
	{"h", int64(time.Hour)},
	{"m", int64(time.Minute)},
	{"s", int64(time.Second)},
	{"ms", int64(time.Millisecond)},
	{"us", int64(time.Microsecond)},
	{"ns", 1},
}

// Binary units first: where both fit, they are taken.
var sizeUnits = [...]unit{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
}

// ParseDuration reads "14d", "36h", "1h30m" or "0".
func ParseDuration(s string) (Duration, error) {
	if s == "" {
		return 0, errors.New(`is empty, write a time like "10m", "36h" or "14d"`)
	}
	if s == "0" {
		return 0, nil
	}
	var total int64
	for rest := s; rest != ""; {
		n, name, tail, err := numberAndUnit(rest)
		if err != nil {
			return 0, fmt.Errorf(`%s is not a time, write one like "10m", "36h" or "14d"`, show(s))
		}
		if name == "" {
			return 0, fmt.Errorf("%s has no unit, write %s, %s, %s or %s", show(s), show(s+"s"), show(s+"m"), show(s+"h"), show(s+"d"))
		}
		u := findUnit(durationUnits[:], name, false)
		if u == 0 {
			return 0, fmt.Errorf("%s has the unknown unit %s, units are ms, s, m, h and d", show(s), show(name))
		}
		if n > (math.MaxInt64-total)/u {
			return 0, fmt.Errorf("%s is more than 290 years", show(s))
		}
		total += n * u
		rest = tail
	}
	return Duration(total), nil
}

// ParseSize reads "64KiB", "50MB" or "4096".
func ParseSize(s string) (Size, error) {
	n, name, tail, err := numberAndUnit(s)
	if err != nil || tail != "" {
		return 0, fmt.Errorf(`%s is not a size, write one like "64KiB", "50MB" or 4096`, show(s))
	}
	u := int64(1)
	if name != "" && !strings.EqualFold(name, "B") {
		if u = findUnit(sizeUnits[:], name, true); u == 0 {
			if len(name) == 1 && strings.ContainsAny(name, "KMGTkmgt") {
				k := strings.ToUpper(name)
				return 0, fmt.Errorf("%s can mean two things, write \"%d%siB\" (1024) or \"%d%sB\" (1000)", show(s), n, k, n, k)
			}
			return 0, fmt.Errorf("%s has the unknown unit %s, units are KiB, MiB, GiB, KB, MB and GB", show(s), show(name))
		}
	}
	if n > math.MaxInt64/u {
		return 0, fmt.Errorf("%s is more than 8 EiB", show(s))
	}
	return Size(n * u), nil
}

// String formats d so that ParseDuration reads it back: with one unit, the longest that fits.
func (d Duration) String() string {
	if d == 0 {
		return "0"
	}
	for _, u := range durationUnits {
		if int64(d)%u.n == 0 {
			return strconv.FormatInt(int64(d)/u.n, 10) + u.name
		}
	}
	panic("unreachable: every duration is whole nanoseconds")
}

// MarshalText is String, for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalText is String, for JSON.
func (n Size) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// String formats n so that ParseSize reads it back, as short as it gets.
func (n Size) String() string {
	best := strconv.FormatInt(int64(n), 10)
	for _, u := range sizeUnits {
		if n == 0 || int64(n)%u.n != 0 {
			continue
		}
		if s := strconv.FormatInt(int64(n)/u.n, 10) + u.name; len(s) < len(best) || best[len(best)-1] <= '9' {
			best = s
		}
	}
	return best
}

// numberAndUnit cuts "36h15m" into 36, "h" and "15m".
func numberAndUnit(s string) (n int64, unit, tail string, err error) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if n, err = strconv.ParseInt(s[:i], 10, 64); err != nil {
		return 0, "", "", err
	}
	j := i
	for j < len(s) && ('a' <= s[j]|0x20 && s[j]|0x20 <= 'z') {
		j++
	}
	if j == i && j < len(s) {
		return 0, "", "", errors.New("no unit")
	}
	return n, s[i:j], s[j:], nil
}

// findUnit returns the unit's value, 0 if there is none of that name.
func findUnit(units []unit, name string, fold bool) int64 {
	for _, u := range units {
		if u.name == name || fold && strings.EqualFold(u.name, name) {
			return u.n
		}
	}
	return 0
}

// show quotes a value for an error and keeps it short.
func show(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strconv.Quote(s)
}
