package pop3client

import (
	"testing"
	"time"
)

// TestDefaults pins what the zero Options mean, and that a negative value means none.
func TestDefaults(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*Options{"nil": nil, "zero": {}} {
		d := o.withDefaults()
		if d.Security != TLS || d.AllowCleartext || d.DialContext == nil || d.ConnectTimeout != time.Minute ||
			d.Timeout != 2*time.Minute || d.QuitTimeout != 5*time.Minute || d.MaxLine != 64<<10 ||
			d.MaxListing != 256<<20 || d.MaxMessage != 64<<30 || d.MaxDrain != 1<<20 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	none := (&Options{ConnectTimeout: -1, Timeout: -1, QuitTimeout: -1, MaxLine: -1, MaxListing: -5, MaxMessage: -5, MaxDrain: -5}).withDefaults()
	if none.ConnectTimeout != 0 || none.Timeout != 0 || none.QuitTimeout != 0 || none.MaxLine != 1<<30 ||
		none.MaxListing != -1 || none.MaxMessage != -1 || none.MaxDrain != -1 {
		t.Errorf("none: %+v", none)
	}
	own := (&Options{Timeout: time.Second, MaxLine: 100, MaxDrain: 7}).withDefaults()
	if own.Timeout != time.Second || own.MaxLine != 100 || own.MaxDrain != 7 {
		t.Errorf("own: %+v", own)
	}
	if TLS.port() != "995" || STLS.port() != "110" || Clear.port() != "110" { // C-070
		t.Errorf("ports %s, %s, %s", TLS.port(), STLS.port(), Clear.port())
	}
}
