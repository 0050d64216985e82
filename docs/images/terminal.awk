#!/usr/bin/awk -f
# Draws what a program printed as a terminal window in SVG:
#   go run ./cmd/postamt demo --once --dir /tmp/postamt-demo |
#     awk '/^ben picks/ { exit } length > 112 { $0 = substr($0, 1, 109) "..." } 1' |
#     docs/images/terminal.awk -v title='go run ./cmd/postamt demo' >docs/images/demo.svg
{ gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;"); line[++n] = $0; if (length($0) > width) width = length($0) }
END {
	w = width * 7.9 + 36; h = n * 17 + 62
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s in a terminal\">\n", w, h, title
	print "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16202b\"/><rect width=\"100%\" height=\"30\" rx=\"8\" fill=\"#24313f\"/>"
	print "<circle cx=\"18\" cy=\"15\" r=\"5\" fill=\"#e2685d\"/><circle cx=\"36\" cy=\"15\" r=\"5\" fill=\"#e0b34f\"/><circle cx=\"54\" cy=\"15\" r=\"5\" fill=\"#6fb36b\"/>"
	print "<g font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" xml:space=\"preserve\">"
	printf "<text x=\"72\" y=\"20\" fill=\"#93a4b5\">%s</text>\n", title
	for (i = 1; i <= n; i++) {
		colour = "#d7e0e8"
		if (line[i] ~ /^ *num +octets/) colour = "#93a4b5"
		if (line[i] ~ /every octet is the same/) colour = "#8fd18a"
		if (line[i] ~ /^[A-Z]/) colour = "#ffffff"
		printf "<text x=\"18\" y=\"%d\" fill=\"%s\">%s</text>\n", 40 + i * 17, colour, line[i]
	}
	print "</g></svg>"
}
