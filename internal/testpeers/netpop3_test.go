package testpeers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const netPOP3Script = `
use strict; use warnings; use Net::POP3;
my ($wire, $port, $user, $password, $cert, $remove, $out) = @ARGV;
my @trust = (SSL_ca_file => $cert, SSL_verifycn_name => "localhost");
my $p = Net::POP3->new("localhost", Port => $port, Timeout => 60, ($wire eq "POP3S" ? (SSL => 1, @trust) : ())) or die "connect: $@";
if ($wire eq "STLS") { $p->starttls(@trust) or die "STLS: " . $p->message; }
defined $p->login($user, $password) or die "login: " . $p->message;
my $list = $p->list;
for my $num (sort { $a <=> $b } keys %$list) {
    my $lines = $p->get($num) or die "RETR $num: " . $p->message;
    open my $f, ">:raw", "$out/$num" or die $!;
    print $f map { s/\r?\n\z/\r\n/r } @$lines; # get() gives LF over plain connections and CRLF over TLS
    close $f or die $!;
    if ($remove eq "true") { $p->delete($num) or die "DELE $num: " . $p->message; }
}
$p->quit or die "QUIT: " . $p->message;
`

func netPOP3(t *testing.T, j job) [][]byte {
	if j.wire != clear && exec.Command("perl", "-MIO::Socket::SSL", "-e", "1").Run() != nil {
		Missing(t, "Perl's IO::Socket::SSL (Debian package libio-socket-ssl-perl; .ci/run installs it)")
	}
	out := filepath.Join(j.dir, "mail")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	script := j.write(t, "fetch.pl", netPOP3Script)
	j.run(t, "perl", script, string(j.wire), j.port(), j.user, j.password, j.d.Cert, fmt.Sprint(j.remove), out)
	return readFiles(t, out)
}
