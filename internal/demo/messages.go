package demo

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// A Message is a sample. Its octets are the same at each call.
type Message struct {
	// Kind says in a few words what is special about it.
	Kind string
	// From is the envelope sender, empty for a bounce.
	From string
	// To are the accounts it goes to.
	To []string
	// Raw is the message as its sender made it: lines end with CRLF, except where that is its point.
	Raw []byte
}

// The accounts of the demo.
const (
	anna = "anna"
	ben  = "ben"
)

// Messages returns the samples.
func Messages() []Message {
	both := []string{anna, ben}
	toAnna := []string{anna}
	return []Message{
		{Kind: "plain text", From: "postmaster@example.com", To: both, Raw: plain()},
		{Kind: "UTF-8, 8bit", From: "joerg@example.org", To: toAnna, Raw: utf8Text()},
		{Kind: "quoted-printable", From: "chloe@example.net", To: both, Raw: quotedPrintable()},
		{Kind: "base64 text", From: "yuki@example.jp", To: toAnna, Raw: base64Text()},
		{Kind: "HTML only", From: "news@shop.example", To: both, Raw: html()},
		{Kind: "text and HTML", From: "ticket@rail.example", To: toAnna, Raw: alternative()},
		{Kind: "with an attachment", From: "ben@example.com", To: toAnna, Raw: attachment()},
		{Kind: "lines beginning with dots", From: "cron@example.com", To: both, Raw: dots()},
		{Kind: "8 MB scan", From: "scanner@office.example", To: toAnna, Raw: scan()},
		{Kind: "no final newline", From: "anna@example.com", To: []string{ben}, Raw: noFinalNewline()},
		{Kind: "header only", From: "sensor7@plant.example", To: both, Raw: headerOnly()},
		{Kind: "a line of 100,000 octets", From: "export@erp.example", To: toAnna, Raw: longLine()},
		{Kind: "Latin-1, no MIME", From: "rene@old.example", To: toAnna, Raw: latin1()},
		{Kind: "bounce (DSN)", From: "", To: both, Raw: bounce()},
		{Kind: "signed (PGP/MIME)", From: "security@example.org", To: toAnna, Raw: signed()},
		{Kind: "invitation", From: "ben@example.com", To: toAnna, Raw: invitation()},
		{Kind: "forwarded", From: "ben@example.com", To: toAnna, Raw: forwarded()},
		{Kind: "bare CR and NUL", From: "fax@gateway.example", To: both, Raw: controls()},
		{Kind: "UTF-8 in the header", From: "用户@例子.example", To: toAnna, Raw: utf8Header()},
	}
}

// header returns a header block; further lines are given whole.
func header(from, subject, id string, more ...string) string {
	lines := append([]string{
		"From: " + from,
		"To: Anna Albers <anna@example.com>",
		"Date: Mon, 02 Nov 2026 09:15:00 +0100",
		"Message-ID: <" + id + "@postamt.example>",
		"Subject: " + subject,
	}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func mimeHeader(contentType, encoding string) []string {
	return []string{"MIME-Version: 1.0", "Content-Type: " + contentType, "Content-Transfer-Encoding: " + encoding}
}

// crlf ends the lines of a Go literal as mail wants it.
func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

func plain() []byte {
	return []byte(header("Postmaster <postmaster@example.com>", "Your post office is open", "welcome") + crlf(`
Hello,

your maildrop is ready. Pick your mail up with any program that speaks
POP3; mail you delete by accident can be brought back for two weeks.

-- 
The postmaster
`))
}

func utf8Text() []byte {
	subject := mime.QEncoding.Encode("utf-8", "Grüße aus Köln")
	return []byte(header("Jörg <joerg@example.org>", subject, "utf8", mimeHeader("text/plain; charset=utf-8", "8bit")...) + crlf(`
Liebe Anna,

viele Grüße vom Rhein: 20 °C, Sonne, und der Käsekuchen kostet nur 3,50 €.

Jörg ☀
`))
}

func quotedPrintable() []byte {
	var b bytes.Buffer
	subject := mime.QEncoding.Encode("utf-8", "Déjeuner à midi ?")
	b.WriteString(header("Chloé <chloe@example.net>", subject, "qp", mimeHeader("text/plain; charset=utf-8", "quoted-printable")...))
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte("On se retrouve à midi au café près de la gare ? Le menu du jour, c'est du bœuf aux carottes, et le dessert est déjà réservé.\r\n" +
		"Prix = 14,50 €\r\n\r\nÀ bientôt,\r\nChloé\r\n")) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.Bytes()
}

func base64Text() []byte {
	text := "アンナさん\r\n\r\n来週の会議は火曜日の10時からです。資料は明日送ります。\r\n\r\n由紀\r\n"
	subject := mime.BEncoding.Encode("utf-8", "来週の会議について")
	return []byte(header("Yuki <yuki@example.jp>", subject, "b64", mimeHeader("text/plain; charset=utf-8", "base64")...) +
		base64Lines([]byte(text)))
}

func html() []byte {
	return []byte(header("The Shop <news@shop.example>", "20% off everything that floats", "html",
		mimeHeader("text/html; charset=us-ascii", "7bit")...) + crlf(`
<!DOCTYPE html>
<html><head><style>
.hero { background: #036; color: #fff }
.price:before { content: "." }
</style></head>
<body><div class="hero"><h1>Boats &amp; ducks</h1></div>
<p>Rubber ducks <b class="price">4.99</b> this week only.</p>
<p><a href="https://shop.example/unsubscribe">Unsubscribe</a></p></body></html>
`))
}

func alternative() []byte {
	return []byte(header("Rail <ticket@rail.example>", "Your ticket to Basel", "alt",
		mimeHeader(`multipart/alternative; boundary="=_alt"`, "7bit")...) + crlf(`
--=_alt
Content-Type: text/plain; charset=us-ascii

Train ICE 5, 12 Nov 2026, 08:04, coach 7, seat 61.

--=_alt
Content-Type: text/html; charset=us-ascii

<p>Train <b>ICE 5</b>, 12 Nov 2026, 08:04, coach 7, seat 61.</p>

--=_alt--
`))
}

func attachment() []byte {
	return []byte(header("Ben <ben@example.com>", "The chart you asked for", "attachment",
		mimeHeader(`multipart/mixed; boundary="=_mix"`, "7bit")...) + crlf(`
--=_mix
Content-Type: text/plain; charset=us-ascii

Here it is. The blue part is ours.

--=_mix
Content-Type: image/png; name="chart.png"
Content-Disposition: attachment; filename="chart.png"
Content-Transfer-Encoding: base64

`) + base64Lines(chart()) + crlf(`
--=_mix--
`))
}

// chart draws a small picture.
func chart() []byte {
	m := image.NewPaletted(image.Rect(0, 0, 160, 100), color.Palette{color.White, color.RGBA{0, 64, 160, 255}, color.RGBA{200, 60, 0, 255}})
	for x := range 160 {
		for y := range 100 {
			if 100-y < 20+x/4+x%32 {
				m.SetColorIndex(x, y, 1+uint8(x/128))
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m) // a bytes.Buffer does not fail
	return b.Bytes()
}

func dots() []byte {
	return []byte(header("Cron <cron@example.com>", "output of: ls -a", "dots") + crlf(`
.
..
.bashrc
..hidden
...
The line above has three dots, the next but one a single one.

.
QUIT
.
`))
}

// scan is a large message, made with a generator of fixed seed.
func scan() []byte {
	const octets = 8_000_000
	pixels := make([]byte, (octets-1000)/78*57)
	random := rand.NewChaCha8([32]byte([]byte("the demo's scan is always alike!")))
	_, _ = random.Read(pixels) // does not fail
	return []byte(header("Scanner <scanner@office.example>", "Scan 0042, 12 pages", "scan",
		mimeHeader(`multipart/mixed; boundary="=_scan"`, "7bit")...) + crlf(`
--=_scan
Content-Type: application/octet-stream; name="scan-0042.tif"
Content-Disposition: attachment; filename="scan-0042.tif"
Content-Transfer-Encoding: base64

`) + base64Lines(pixels) + crlf(`
--=_scan--
`))
}

func noFinalNewline() []byte {
	return []byte(header("Anna <anna@example.com>", "short", "nonewline") + "sent from a program that does not end its last line")
}

func headerOnly() []byte {
	return []byte(strings.TrimSuffix(header("Sensor 7 <sensor7@plant.example>", "temperature 21.5 C, door closed", "sensor"), "\r\n"))
}

func longLine() []byte {
	var b strings.Builder
	b.WriteString(header("ERP <export@erp.example>", "nightly export", "longline"))
	const row = `{"sku":"DK-0042","name":"rubber duck","stock":1200},`
	b.WriteString("[" + strings.Repeat(row, 100_000/len(row)) + "]\r\n")
	return []byte(b.String())
}

func latin1() []byte {
	return []byte(header("Ren\xe9 <rene@old.example>", "Caf\xe9 ferm\xe9", "latin1") +
		"Le caf\xe9 est ferm\xe9 jusqu'\xe0 lundi.\r\n\xc0 bient\xf4t, Ren\xe9\r\n")
}

func bounce() []byte {
	return []byte(header("Mail Delivery System <MAILER-DAEMON@mx.example>", "Undelivered Mail Returned to Sender", "dsn",
		mimeHeader(`multipart/report; report-type=delivery-status; boundary="=_dsn"`, "7bit")...) + crlf(`
--=_dsn
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered to <nobody@mx.example>.

--=_dsn
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Final-Recipient: rfc822; nobody@mx.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--=_dsn--
`))
}

// signed is mail where one changed octet would show: a signature over the exact form of a part, with blanks at line ends.
func signed() []byte {
	return []byte(header("Security <security@example.org>", "Signed advice", "signed",
		mimeHeader(`multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="=_sig"`, "7bit")...) + crlf(`
--=_sig
Content-Type: text/plain; charset=us-ascii

Blanks at the end of this line count:   
	and a tab at the start of this one.

--=_sig
Content-Type: application/pgp-signature; name="signature.asc"

-----BEGIN PGP SIGNATURE-----

iHUEABYIAB0WIQTdemoDEMOdemoDEMOdemoDEMOdemoFAmcAAAAACgkQdemoDEMO
demoAP9demoDEMOdemoDEMOdemoDEMOdemoDEMOdemoDEMOdemoDEMOdemoAQCdem
=demo
-----END PGP SIGNATURE-----

--=_sig--
`))
}

func invitation() []byte {
	return []byte(header("Ben <ben@example.com>", "Invitation: stand-up", "ics",
		mimeHeader("text/calendar; method=REQUEST; charset=utf-8", "7bit")...) + crlf(`
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Postamt//demo//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:standup-1@postamt.example
DTSTAMP:20261102T081500Z
DTSTART:20261103T090000Z
DTEND:20261103T091500Z
SUMMARY:Stand-up
ORGANIZER:mailto:ben@example.com
ATTENDEE:mailto:anna@example.com
END:VEVENT
END:VCALENDAR
`))
}

func forwarded() []byte {
	return []byte(header("Ben <ben@example.com>", "Fwd: your post office is open", "fwd",
		mimeHeader(`multipart/mixed; boundary="=_fwd"`, "7bit")...) + crlf(`
--=_fwd
Content-Type: text/plain; charset=us-ascii

From here on it works:

--=_fwd
Content-Type: message/rfc822

`) + string(plain()) + crlf(`
--=_fwd--
`))
}

func controls() []byte {
	return []byte(header("Fax <fax@gateway.example>", "page 1 of 1", "controls") +
		"progress:\r10%\r50%\r100%\r\nNUL: [\x00] bell: [\x07] escape: [\x1b] delete: [\x7f]\r\nlast line ends in two CR\r\r\n")
}

func utf8Header() []byte {
	return []byte(header("用户 <用户@例子.example>", "你好, Anna", "smtputf8", mimeHeader("text/plain; charset=utf-8", "8bit")...) +
		"这封邮件的地址和标题都是 UTF-8 (RFC 6531)。\r\n")
}

// base64Lines encodes in lines of 76 octets.
func base64Lines(data []byte) string {
	var b strings.Builder
	b.Grow(len(data)*78/57 + 78)
	for len(data) > 0 {
		n := min(len(data), 57)
		b.WriteString(base64.StdEncoding.EncodeToString(data[:n]))
		b.WriteString("\r\n")
		data = data[n:]
	}
	return b.String()
}
