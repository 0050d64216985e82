// Package pop3test has what tests of POP3 servers and clients want, for the servers and clients of other people as well:
//
//   - transcripts: dialogues as the RFCs show them, in text files that are played to any server over any connection
//     ([LoadTranscript], [RunTranscript]);
//   - a scripted peer: a server's end that says exactly what it is told to, for clients ([ScriptedPeer]);
//   - a conformance suite for backends of package pop3server ([Backend]).
//
// # The form of a transcript
//
// A transcript is a txtar archive: a comment, then sections, each with a line "-- name --" in front. In the sections setup
// and dialogue, empty lines, lines that begin with #, and space in front of a line do not count. setup says what the server
// must have:
//
//	account USER PASSWORD            an account; nothing but the messages that follow is in its maildrop
//	message UID file SECTION         a message: the octets of another section, with CRLF line ends
//	message UID quoted "OCTETS"      a message: the octets of Go string literals
//	message UID octets NUMBER        a message of exactly this many octets
//	option WORD                      what the server must be set up to do; the words are those of whoever runs it
//
// A message whose UID is - may have any unique-id. The lines of dialogue are played in order:
//
//	C: LINE               the client sends LINE and CRLF; lines that follow each other go out together
//	C-RAW: "OCTETS"       the client sends the octets, in one piece
//	C-REPEAT: N "OCTETS"  the client sends the octets N times over
//	C-LOGIN: USER PASS    the client connects, reads the greeting and signs in, again while the maildrop is in use
//	C-AUTH: MECH USER PASS  the client runs AUTH; the line after it is the server's last response
//	C-TLS:                the client begins the TLS handshake
//	C-CLOSE:              the client closes the connection, without QUIT
//	C-CUT:                the client closes the connection at once, what is on its way included; no close_notify
//	S: LINE               the server says exactly LINE and CRLF
//	S~: LINE              the server gives a response of the same status and response code; the text is its own
//	S/: REGEXP            the server says a line that the expression matches as a whole; (?P<name>...) captures
//	S-REPEAT/: N REGEXP   the server says N lines that match
//	S-RAW: "OCTETS"       the server sends exactly the octets
//	S-MESSAGE: UID        the server sends the message, byte-stuffed, and the termination octet
//	S-TOP: N UID          the server sends the message's header and N lines of its body, and the termination octet
//	S-HAS: LINE           the rest of the multi-line response has this line; S-HAS/ takes an expression
//	S-LACKS: LINE         the rest of the multi-line response has no such line; S-LACKS/ takes an expression
//	S-ALL/: REGEXP        each line of the rest of the multi-line response matches
//	S-CLOSE:              the server closes the connection and sends nothing before
//
// A digit behind C or S (C2: and S2~:) names another connection; each is made when it is first named, and again after it
// was closed. In C and S lines, ${name} is what was captured, ${apop SECRET} the digest of the captured timestamp, and
// ${base64 "OCTETS"} these octets in base64.
//
// # Security
//
// What the peer sends is untrusted and bounded: see the constants. No step waits longer than [TranscriptTimeout].
package pop3test
