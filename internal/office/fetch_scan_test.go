package office

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/testpeers"
)

// Mail is looked at on its way by the real clamd and the real rspamd: a virus goes into quarantine, spam stays away, the
// rest comes with a word of both.
func TestScannedOnTheWay(t *testing.T) {
	t.Parallel()
	clamd, rspamd := testpeers.StartClamd(t), testpeers.StartRspamd(t)
	far := start(t, settings(t))
	for _, text := range []string{"Hello.", testpeers.GTUBE, testpeers.Eicar} {
		if text == testpeers.Eicar { // an attachment, as viruses come
			text = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: application/octet-stream\r\n\r\n" + text + "\r\n--x--"
		} else {
			text = "\r\n" + text
		}
		deliver(t, far.addr("lmtp"), "From: eve@example.com\r\nSubject: hi\r\n"+text)
	}
	cfg := settings(t)
	v, ids := openVault(t, cfg, "bob", "cell")
	f := from(t, far, "isp")
	f.ClamAV, f.OnVirus, f.Quarantine = "unix:"+clamd, "quarantine", []string{"store:cell"}
	f.Rspamd, f.OnSpam, f.ScanDown = rspamd, "leave", "retry"
	cfg.Fetch = []config.Fetch{f}
	c := openCollector(t, cfg, v, CollectorOptions{})
	r := c.Once(t.Context())[0]
	if r.Class() != collect.OK || r.Fetched != 2 || r.Quarantined != 1 || r.Skipped != 1 || r.Deleted != 2 {
		t.Fatalf("%+v", r)
	}
	first := func(text string) []string { return strings.SplitN(text, "\n", 3)[:2] }
	bob, cell := messages(t, v, ids["bob"]), messages(t, v, ids["cell"])
	if len(bob) != 1 || len(cell) != 1 {
		t.Fatalf("%d and %d messages", len(bob), len(cell))
	}
	want := []string{"X-Virus-Status: Clean", "X-Spam-Status: No, score=0.00 required=15.00 action=no_action"}
	if d := cmp.Diff(want, first(bob[0])); d != "" {
		t.Errorf("bob's message (-want +got):\n%s", d)
	}
	want = []string{"X-Virus-Status: Infected (Eicar-Test.UNOFFICIAL)", "From: eve@example.com"}
	if d := cmp.Diff(want, first(cell[0])); d != "" {
		t.Errorf("in quarantine (-want +got):\n%s", d)
	}
}

// While a scanner is away, a dry run and a run say what to start, and nothing is downloaded.
func TestScannerIsAwayFromTheStart(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "From: eve@example.com\r\nSubject: hi\r\n\r\nHello.")
	cfg := settings(t)
	v, _ := openVault(t, cfg, "bob")
	f := from(t, far, "isp")
	f.ClamAV, f.OnVirus, f.ScanDown = "unix:/nonexistent/clamd.ctl", "leave", "retry"
	cfg.Fetch = []config.Fetch{f}
	c := openCollector(t, cfg, v, CollectorOptions{})
	const want = "clamd at unix:/nonexistent/clamd.ctl does not answer, start it"
	p := c.Plan(t.Context())[0]
	if p.Err != nil || len(p.Decisions) != 1 || p.Decisions[0].Action != collect.ActionLater || !strings.Contains(p.Decisions[0].Reason, want) {
		t.Errorf("dry run: %+v", p)
	}
	r := c.Once(t.Context())[0]
	if r.Class() != collect.Temporary || r.BytesFromSource != 0 || !strings.Contains(r.Err.Error(), want) {
		t.Errorf("run: %+v", r)
	}
}
