package telemetry

import (
	"strings"
	"testing"
	"time"
)

func TestFetchMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	m.FetchAccount("isp")
	m.FetchAccount("old")
	if page := scrape(t, m); !strings.Contains(page, "\npostamt_fetch_alarm{account=\"isp\"} 0\n") ||
		strings.Contains(page, "postamt_fetch_last_success_timestamp_seconds{") {
		t.Errorf("before the first run:\n%s", page)
	}
	m.FetchRun(FetchRun{Account: "isp", Result: FetchOK, Ended: time.Unix(2_000_000_000, 0), Fetched: 3, Octets: 4096, Deleted: 2, Poison: 1})
	m.FetchRun(FetchRun{Account: "isp", Result: FetchPermanent, Ended: time.Unix(2_000_000_300, 0)})
	m.FetchAlarm("isp", true)
	page := scrape(t, m)
	for _, want := range []string{
		`postamt_fetch_runs_total{account="isp",result="ok"} 1`,
		`postamt_fetch_runs_total{account="isp",result="permanent"} 1`,
		`postamt_fetch_runs_total{account="isp",result="temporary"} 0`,
		`postamt_fetch_messages_total{account="isp"} 3`,
		`postamt_fetch_octets_total{account="isp"} 4096`,
		`postamt_fetch_deleted_total{account="isp"} 2`,
		`postamt_fetch_last_success_timestamp_seconds{account="isp"} 2e+09`,
		`postamt_fetch_alarm{account="isp"} 1`,
		`postamt_fetch_poison_messages{account="isp"} 0`,
	} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("%s is not on the page", want)
		}
	}
	m.FetchForget("isp")
	if page := scrape(t, m); strings.Contains(page, `account="isp"`) || !strings.Contains(page, `account="old"`) {
		t.Errorf("after isp was taken out:\n%s", page)
	}
	var none *Metrics
	none.FetchAccount("x")
	none.FetchRun(FetchRun{})
	none.FetchForget("x")
	none.FetchAlarm("x", true)
}
