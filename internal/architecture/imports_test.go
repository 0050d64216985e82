package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/postamt/postamt"

// rules say what a package, and everything below it that a longer rule does not name, may import of ours and of others.
// Packages are named without the module's path. An entry ending in "/..." means all below.
var rules = []struct {
	pkg   string
	allow []string
	why   string
}{
	{"internal/wire", []string{}, "both ends of the wire stand on it: std only"},
	{"sasl", []string{"golang.org/x/text/..."}, "a library: std and x/text only"},
	{"pop3", []string{"internal/wire"}, "the vocabulary does no I/O"},
	{"pop3/pop3client", []string{"pop3", "sasl", "internal/wire"}, "a library: std only; never the server"},
	{"pop3/pop3server", []string{"pop3", "sasl", "internal/wire"}, "a library: std only; knows no store; never the client"},
	{"pop3/pop3server/pop3mem", []string{"pop3", "pop3/pop3server", "sasl"}, "the reference backend is what a user could write"},
	{"pop3/pop3test", []string{"pop3", "pop3/pop3server", "sasl", "internal/wire"}, "for other people's servers and clients, too"},
	{"internal/catalog", []string{"modernc.org/sqlite", "modernc.org/sqlite/lib", "golang.org/x/sys/unix"}, "the only package that knows a database driver"},
	{"internal/body", []string{"golang.org/x/sys/unix"}, "files only"},
	{"internal/faultfs", []string{"internal/body"}, "failing disks beneath internal/body"},
	{"internal/mailstore", []string{}, "a contract imports nothing; it knows no protocol"},
	{"internal/mailstore/storetest", []string{"internal/mailstore", "internal/body", "internal/faultfs", "internal/faultfs/sysfault", "github.com/google/go-cmp/cmp", "pgregory.net/rapid"}, "a suite for every store; it is test code"},
	{"internal/mailstore/sqlstore", []string{"internal/mailstore", "internal/catalog", "internal/body", "golang.org/x/sys/unix"}, "the store knows no protocol and no account"},
	{"internal/mailfile", []string{"internal/body"}, "formats of files, no store"},
	{"internal/account", []string{"internal/catalog", "sasl", "golang.org/x/crypto/argon2", "golang.org/x/text/..."}, "accounts know no protocol and no mail"},
	{"internal/popd", []string{"internal/mailstore", "internal/account", "pop3", "pop3/pop3server", "sasl"}, "a counter joins one protocol with mail and accounts, nothing else"},
	{"internal/lmtpd", []string{"internal/mailstore", "internal/account", "github.com/emersion/go-smtp"}, "a counter joins one protocol with mail and accounts, nothing else"},
	{"internal/smtpclient", []string{"internal/wire", "sasl"}, "the end that hands mail on; it knows no store"},
	{"internal/collect", []string{"internal/catalog", "golang.org/x/sys/unix"}, "the collector's rules and journal know no protocol and no kind of sink"},
	{"internal/collect/mailbox", []string{"internal/collect"}, "what sources share before they connect; it knows no client"},
	{"internal/collect/pop3source", []string{"internal/collect", "internal/collect/mailbox", "pop3", "pop3/pop3client", "sasl"}, "a source joins one protocol with the collector"},
	{"internal/argv", []string{}, "std only"},
	{"internal/collect/imapsource", []string{"internal/collect", "internal/collect/mailbox", "internal/imapclient", "pop3/pop3client"}, "a source joins one protocol with the collector"},
	{"internal/imapclient", []string{"github.com/emersion/go-imap/v2/...", "github.com/emersion/go-imap/v2", "pop3/pop3client", "sasl"}, "the only package that knows the IMAP library; pins are those of pop3client"},
	{"internal/imapclient/imaptest", []string{"github.com/emersion/go-imap/v2/...", "github.com/emersion/go-imap/v2"}, "the client's other end in tests"},
	{"internal/collect/secret", []string{"internal/argv"}, "where passwords come from; the configuration splits commands the same way"},
	{"internal/oauth", []string{"golang.org/x/oauth2", "golang.org/x/oauth2/clientcredentials"}, "the only package that knows the OAuth library; it knows no mail"},
	{"internal/oauth/oauthtest", []string{"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/jwt"}, "a server for tests; it shares no code with the client"},
	{"internal/keyring", []string{"github.com/zalando/go-keyring/secret_service"}, "the only package that knows keyrings"},
	{"internal/collect/scan", []string{"internal/collect"}, "scanners know messages and what follows, no source and no sink"},
	{"internal/collect/sink", []string{"internal/argv", "internal/collect", "internal/imapclient", "internal/mailfile", "internal/mailstore", "internal/smtpclient", "golang.org/x/sys/unix"}, "destinations only: no source"},
	{"internal/probe", []string{"pop3", "pop3/pop3client"}, "looks at servers; it changes nothing"},
	{"internal/discover", []string{"pop3/pop3client", "golang.org/x/net/idna", "golang.org/x/net/publicsuffix"}, "finds servers; it signs in nowhere and writes nothing"},
	{"internal/movein", []string{"internal/config"}, "files of other programs and our configuration, nothing that runs"},
	{"internal/config", []string{"internal/argv", "github.com/BurntSushi/toml"}, "the configuration knows nothing of what is configured"},
	{"internal/tlsconf", []string{}, "certificates only"},
	{"internal/telemetry", []string{"github.com/prometheus/client_golang/..."}, "the only package that knows the metrics library"},
	{"internal/systemd", []string{}, "std only"},
	{"internal/terminal", []string{"golang.org/x/term"}, "the only package that knows terminals"},
	{"bench", []string{"bench/..."}, "the measuring side shares no code with what it measures"},
}

// oneOwner are modules that are imported by more than one package, and why that is right.
var manyOwners = map[string]string{
	"github.com/emersion/go-imap/v2": "imapclient, and imaptest, which is its other end in tests",
	"golang.org/x/sys":               "system calls, not a library to be replaced",
	"golang.org/x/text":              "nearly std: sasl and account both prepare names (RFC 4013, RFC 8265)",
}

type pkg struct {
	ImportPath   string
	Dir, Doc     string
	Standard     bool
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Module       *struct{ Path string }
}

// packages are those of this module and all they depend on.
var packages = sync.OnceValues(func() (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Doc,Standard,Imports,GoFiles,TestGoFiles,XTestGoFiles,Module", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			err = errors.New(string(ee.Stderr))
		}
		return nil, err
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

func load(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// ours returns a package's name without the module's path, and whether it is ours.
func ours(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

func TestImportDirections(t *testing.T) {
	t.Parallel()
	all := load(t)
	seen := map[string]bool{}
	for path, p := range all {
		name, ok := ours(path)
		if !ok {
			continue
		}
		for _, rule := range rules {
			if name != rule.pkg && !(rule.pkg == "bench" && strings.HasPrefix(name, "bench/")) {
				continue
			}
			seen[rule.pkg] = true
			for _, imp := range p.Imports {
				if all[imp].Standard {
					continue
				}
				short := strings.TrimPrefix(imp, module+"/")
				if !slices.ContainsFunc(rule.allow, func(a string) bool {
					below, all := strings.CutSuffix(a, "/...")
					return a == short || all && strings.HasPrefix(short, below+"/")
				}) {
					t.Errorf("%s must not import %s: %s", name, short, rule.why)
				}
			}
		}
	}
	for _, rule := range rules {
		if !seen[rule.pkg] {
			t.Errorf("the rule for %s fits no package: delete it or mend its name", rule.pkg)
		}
	}
}

func TestCountersDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	counters := []string{"internal/popd", "internal/lmtpd", "internal/collect"}
	for path, p := range load(t) {
		name, _ := ours(path)
		if !slices.Contains(counters, name) {
			continue
		}
		for _, imp := range p.Imports {
			if other, _ := ours(imp); slices.Contains(counters, other) {
				t.Errorf("%s imports %s: counters meet in internal/office only", name, other)
			}
		}
	}
}

func TestEachModuleHasOneOwner(t *testing.T) {
	t.Parallel()
	all := load(t)
	owners := map[string][]string{}
	for path, p := range all {
		name, ok := ours(path)
		if !ok {
			continue
		}
		mods := map[string]bool{}
		for _, imp := range p.Imports {
			if m := all[imp].Module; m != nil && m.Path != module {
				mods[m.Path] = true
			}
		}
		for m := range mods {
			owners[m] = append(owners[m], name)
		}
	}
	for m, pkgs := range owners {
		if _, fine := manyOwners[m]; len(pkgs) > 1 && !fine {
			slices.Sort(pkgs)
			t.Errorf("%s is imported by %v: one package of ours is its adapter", m, pkgs)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for path, p := range load(t) {
		if name, ok := ours(path); ok && p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", name)
		}
	}
}
