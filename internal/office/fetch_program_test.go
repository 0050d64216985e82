package office

import (
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
)

// A program that is not there needs a person. A dry run and a run say so before anything is downloaded, and mail waits.
func TestProgramsThatAreMissing(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "Subject: hi\r\n\r\nHello.")
	cfg := settings(t)
	v, _ := openVault(t, cfg, "bob")
	for _, test := range []struct {
		name  string
		spoil func(f *config.Fetch)
		want  string
	}{
		{"destination", func(f *config.Fetch) { f.To = append(f.To, "pipe:/no/such/procmail -d bob") }, "pipe:/no/such/procmail: there is no program /no/such/procmail: install it, or mend its path"},
		{"filter", func(f *config.Fetch) { f.Filter = "no-such-filter -x" }, "filter: there is no program no-such-filter in PATH: install it, or write its whole path"},
		{"none", func(f *config.Fetch) { f.To, f.Filter = append(f.To, `pipe:sh -c "cat >/dev/null"`), "true" }, ""},
	} {
		f := from(t, far, "isp")
		test.spoil(&f)
		cfg.Fetch = []config.Fetch{f}
		c, err := OpenCollector(t.Context(), cfg, v, CollectorOptions{})
		if err != nil {
			t.Fatal(err)
		}
		plan, run := c.Plan(t.Context())[0], c.Once(t.Context())[0]
		switch {
		case test.want == "" && (plan.Err != nil || run.Err != nil || run.Fetched != 1):
			t.Errorf("%s: %v, %+v", test.name, plan.Err, run)
		case test.want == "":
		case collect.Classify(plan.Err) != collect.Permanent || plan.Err.Error() != test.want:
			t.Errorf("%s: dry run: %v", test.name, plan.Err)
		case run.Class() != collect.Permanent || run.Err.Error() != test.want || run.BytesFromSource != 0:
			t.Errorf("%s: run: %+v", test.name, run)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
