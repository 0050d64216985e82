package config

import (
	"math"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want time.Duration
		err  string
	}{
		{in: "0"},
		{in: "0s"},
		{in: "90s", want: 90 * time.Second},
		{in: "10m", want: 10 * time.Minute},
		{in: "36h", want: 36 * time.Hour},
		{in: "14d", want: 14 * 24 * time.Hour},
		{in: "1h30m", want: 90 * time.Minute},
		{in: "250ms", want: 250 * time.Millisecond},
		{in: "", err: `is empty, write a time like "10m", "36h" or "14d"`},
		{in: "10", err: `"10" has no unit, write "10s", "10m", "10h" or "10d"`},
		{in: "-5m", err: `"-5m" is not a time, write one like "10m", "36h" or "14d"`},
		{in: "1.5h", err: `"1.5h" is not a time, write one like "10m", "36h" or "14d"`},
		{in: "10 m", err: `"10 m" is not a time, write one like "10m", "36h" or "14d"`},
		{in: "2w", err: `"2w" has the unknown unit "w", units are ms, s, m, h and d`},
		{in: "10M", err: `"10M" has the unknown unit "M", units are ms, s, m, h and d`},
		{in: "200000d", err: `"200000d" is more than 290 years`},
		{in: "106751d106751d", err: `"106751d106751d" is more than 290 years`},
		{in: "99999999999999999999s", err: `"99999999999999999999s" is not a time, write one like "10m", "36h" or "14d"`},
	} {
		got, err := ParseDuration(tt.in)
		if text(err) != tt.err || time.Duration(got) != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %q; want %v, %q", tt.in, time.Duration(got), text(err), tt.want, tt.err)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want Size
		err  string
	}{
		{in: "0"},
		{in: "4096", want: 4096},
		{in: "100B", want: 100},
		{in: "64KiB", want: 64 << 10},
		{in: "64kib", want: 64 << 10},
		{in: "50MB", want: 50_000_000},
		{in: "2GiB", want: 2 << 30},
		{in: "1TiB", want: 1 << 40},
		{in: "", err: `"" is not a size, write one like "64KiB", "50MB" or 4096`},
		{in: "-1", err: `"-1" is not a size, write one like "64KiB", "50MB" or 4096`},
		{in: "1KiB2", err: `"1KiB2" is not a size, write one like "64KiB", "50MB" or 4096`},
		{in: "64K", err: `"64K" can mean two things, write "64KiB" (1024) or "64KB" (1000)`},
		{in: "5PB", err: `"5PB" has the unknown unit "PB", units are KiB, MiB, GiB, KB, MB and GB`},
		{in: "9999999TiB", err: `"9999999TiB" is more than 8 EiB`},
	} {
		got, err := ParseSize(tt.in)
		if text(err) != tt.err || got != tt.want {
			t.Errorf("ParseSize(%q) = %d, %q; want %d, %q", tt.in, got, text(err), tt.want, tt.err)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0": 0, "1d": 24 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "1500ms": 1500 * time.Millisecond, "7ns": 7,
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("Duration(%v).String() = %s, want %s", d, got, want)
		}
	}
	for want, n := range map[string]Size{
		"0": 0, "999": 999, "1KB": 1000, "1KiB": 1024, "64KiB": 64 << 10, "50MB": 50_000_000, "1025": 1025, "10GiB": 10 << 30,
	} {
		if got := n.String(); got != want {
			t.Errorf("Size(%d).String() = %s, want %s", n, got, want)
		}
	}
}

// What is formatted is read back as the same value, for any value.
func FuzzValues(f *testing.F) {
	for _, n := range []int64{0, 1, 1000, 1024, 50_000_000, 64 << 10, int64(14 * 24 * time.Hour), math.MaxInt64} {
		f.Add(n, "1h30m")
	}
	f.Fuzz(func(t *testing.T, n int64, s string) {
		if n >= 0 {
			if d, err := ParseDuration(Duration(n).String()); err != nil || int64(d) != n {
				t.Errorf("Duration(%d) formats as %s, which reads as %d, %v", n, Duration(n), int64(d), err)
			}
			if z, err := ParseSize(Size(n).String()); err != nil || int64(z) != n {
				t.Errorf("Size(%d) formats as %s, which reads as %d, %v", n, Size(n), int64(z), err)
			}
		}
		if d, err := ParseDuration(s); err == nil && d < 0 {
			t.Errorf("ParseDuration(%q) = %d", s, d)
		}
		if z, err := ParseSize(s); err == nil && z < 0 {
			t.Errorf("ParseSize(%q) = %d", s, z)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
