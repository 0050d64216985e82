package movein_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/movein"
)

// Configurations of other programs, and the [[fetch]] sections that take their place. What is written is a configuration
// that loads.
func TestReadConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		program movein.Program
		text    string
		want    []string
		states  []string
	}{
		{
			"fetchmail", movein.Fetchmail, `
# my mail
set daemon 300
set no bouncemail
defaults proto pop3, uidl
poll pop.example.net with interval 2 auth password
  user 'bob' there with password "se\"cret" is bob here ssl sslcertck keep limit 1000000 fetchlimit 50
  user eve password x to eve@example.org smtphost mx.example.org/2525 options fetchall no keep no rewrite
skip pop.example.com user old password y is old here
poll box via pop.example.org service 1110:
  user "a b" pass z sslproto '' mda "/usr/bin/procmail -d %T" is joe here
`,
			[]string{
				`# Taken over from fetchmail.
# Not taken over: interval 2
[[fetch]]
name = "bob-pop.example.net"
url = "pop3s://pop.example.net"
user = "bob"
password = "file:/p"
to = ["smtp://localhost:25 bob@localhost"]
keep = true
limit_messages = 50
skip_above = "1000000B"
`, `# Taken over from fetchmail.
# Not taken over: interval 2
[[fetch]]
name = "eve-pop.example.net"
url = "pop3://pop.example.net"
user = "eve"
password = "file:/p"
to = ["smtp://mx.example.org:2525 eve@example.org"]
`, `# Taken over from fetchmail.
[[fetch]]
name = "a-b-pop.example.org"
url = "pop3://pop.example.org:1110"
user = "a b"
password = "file:/p"
to = ["pipe:/usr/bin/procmail -d joe"]
tls = "none"
`,
			},
			[]string{"", "", ""},
		},
		{
			"mpop", movein.Mpop, `
defaults
tls on
tls_starttls off
keep on
uidls_file ~/.uidls

account isp
host pop.example.net
user bob
passwordeval "pass show mail/isp | head -1"
delivery maildir ~/Mail
killsize 50000000

account work : isp
host pop.example.com
port 110
tls_starttls on
passwordeval gpg -d work.gpg
delivery mda /usr/bin/procmail -f %F
received_header off
keep off

account default : isp
`,
			[]string{
				`# Taken over from mpop.
[[fetch]]
name = "isp"
url = "pop3s://pop.example.net"
user = "bob"
password = "command:/bin/sh -c 'pass show mail/isp | head -1'"
to = ["maildir:~/Mail"]
keep = true
delete_above = "50000000B"
`, `# Taken over from mpop.
# Not taken over: %F in the program's arguments is the sender, which a program finds in the environment as SENDER
[[fetch]]
name = "work"
url = "pop3://pop.example.com"
user = "bob"
password = "command:gpg -d work.gpg"
to = ["pipe:/usr/bin/procmail -f %F"]
trace = false
delete_above = "50000000B"
`,
			},
			[]string{"~/.uidls", "~/.uidls"},
		},
		{
			"getmail", movein.Getmail, `
[retriever]
type = SimplePOP3SSLRetriever
server = pop.example.net
username = bob@example.net
password_command = ("/usr/bin/pass", "show my mail")

[destination]
type = MDA_external
path = /usr/bin/procmail
arguments = ("-d",
  "bob")

[options]
read_all = false
delete_after = 30
max_message_size = 20000000
max_messages_per_session = 100
received = false
delivered_to = false

[filter-1]
type = Filter_external
`,
			[]string{`# Taken over from getmail.
# Not taken over: [filter-1]: filter, rspamd and clamav take such a place
[[fetch]]
name = "bob-pop.example.net"
url = "pop3s://pop.example.net"
user = "bob@example.net"
password = "command:/usr/bin/pass 'show my mail'"
to = ["pipe:/usr/bin/procmail -d bob"]
delete_after = "30d"
skip_above = "20000000B"
limit_messages = 100
trace = false
`},
			[]string{""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			accounts, err := movein.ReadConfig(test.program, strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var got, states []string
			for _, a := range accounts {
				source := a.Source
				if source == "" {
					source = "file:/p"
				}
				got, states = append(got, a.Text(test.program, source)), append(states, a.State)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if d := cmp.Diff(test.states, states); d != "" {
				t.Errorf("states (-want +got)\n%s", d)
			}
			if _, err := config.Parse("p", []byte(strings.Join(got, "\n"))); err != nil {
				t.Errorf("the configuration is refused: %v", err)
			}
		})
	}
}

// A switch of mpop is on without an argument, too: without it mail would be deleted, and passwords go in the clear.
func TestReadConfigMpopSwitches(t *testing.T) {
	t.Parallel()
	all, err := movein.ReadConfig(movein.Mpop, strings.NewReader("account a\nhost h\nuser u\ntls\ntls_starttls off\nkeep\ndelivery mbox x\neval echo y\nonly_new off\n"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	want := movein.Account{
		Name: "a", URL: "pop3s://h", User: "u", To: []string{"mbox:x"}, Keys: []config.FetchKey{{Key: "keep", Value: true}},
		Lost: []string{"only_new off: what was fetched is never fetched again", "eval echo y"},
	}
	if d := cmp.Diff(want, all[0]); d != "" {
		t.Error(d)
	}
}

func TestReadConfigIPv6(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"poll ::1 user u pass p is u here":           "pop3://[::1]",
		"poll ::1 port 1110 user u pass p is u here": "pop3://[::1]:1110",
	} {
		text = strings.Replace(text, "::1", `"::1"`, 1)
		all, err := movein.ReadConfig(movein.Fetchmail, strings.NewReader(text))
		if err != nil || len(all) != 1 || all[0].URL != want {
			t.Errorf("%s: %+v %v, want %s", text, all, err, want)
		}
	}
}

func TestReadConfigMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		program movein.Program
		text    string
		want    string
	}{
		{movein.Fetchmail, "poll host proto pop3\nuser 'bob", "line 2 is not what fetchmail writes: a string without its end"},
		{movein.Fetchmail, "poll host frobnicate", `line 1 is not what fetchmail writes: the word "frobnicate" is not known`},
		{movein.Fetchmail, "poll host no password", `line 1 is not what fetchmail writes: the word "no" is not known`},
		{movein.Fetchmail, "poll h" + strings.Repeat(" user u pass p", 1001), "the file has more than 1000 accounts"},
		{movein.Fetchmail, "poll a proto pop3\npoll b user bob", "line 1: poll a names no user, for which fetchmail takes your login name: write user and that name behind it"},
		{movein.Fetchmail, "poll a user bob\n\npoll b is bob here", "line 3: poll b names no user, for which fetchmail takes your login name: write user and that name behind it"},
		{movein.Fetchmail, "poll", "line 1 is not what fetchmail writes: poll without a host"},
		{movein.Fetchmail, "\"poll\" host", "line 1 is not what fetchmail writes: a string that belongs to nothing"},
		{movein.Getmail, "[retriever]\ntype\n", "line 2 is not what getmail writes: wanted KEY = VALUE"},
		{movein.Getmail, "[options]\n", "line 1 is not what getmail writes: there is no [retriever] with a server"},
		{movein.Mpop, "account a : b\n", `line 1 is not what mpop writes: there is no account "b" above`},
		{movein.Fdm, "", `"fdm" is no program whose configuration can be read`},
		{movein.Mpop, strings.Repeat("#", 2<<20), "the file has more than 1048576 octets"},
	} {
		_, err := movein.ReadConfig(test.program, strings.NewReader(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s %.30q: %v, want %q", test.program, test.text, err, test.want)
		}
	}
}

// Whatever a file has in it, reading it ends, every account has a name of its own that a [[fetch]] can have, and its text
// is one section.
func FuzzReadConfig(f *testing.F) {
	for _, text := range []string{
		"poll h user u pass p is me here", "account a\nhost h\nuser u\ndelivery maildir x", "[retriever]\ntype=SimplePOP3Retriever\nserver=h\nusername=u",
		"poll h user '\n", "account a : b", "[", "poll h user \"\\\"\" mda '%T' is \"x\ny\"",
	} {
		for _, p := range movein.Configured {
			f.Add(string(p), text)
		}
	}
	f.Fuzz(func(t *testing.T, program, text string) {
		accounts, err := movein.ReadConfig(movein.Program(program), strings.NewReader(text))
		if err != nil {
			return
		}
		taken := map[string]bool{}
		for _, a := range accounts {
			if a.Name == "" || len(a.Name) > 64 && len(accounts) < 100 || taken[strings.ToLower(a.Name)] {
				t.Errorf("the name %q", a.Name)
			}
			taken[strings.ToLower(a.Name)] = true
			sections := 0
			for _, line := range strings.Split(a.Text(movein.Program(program), "file:/p"), "\n") {
				if strings.HasPrefix(strings.TrimSpace(line), "[[") {
					sections++
				}
			}
			if sections != 1 {
				t.Errorf("%d sections in %q", sections, a.Text(movein.Program(program), "file:/p"))
			}
		}
	})
}
