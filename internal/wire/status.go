package wire

// MaxStatus is the length of the longest status line, in octets with its CRLF (RFC 2449 §4).
const MaxStatus = 512

// AppendOK appends "+OK text" with its line end. Text is made fit for the wire, see AppendText.
func AppendOK(dst []byte, text string) []byte {
	return appendStatus(dst, "+OK ", "", text)
}

// AppendErr appends "-ERR [code] text" with its line end, without the brackets if code is empty. Text is made fit for
// the wire, see AppendText.
func AppendErr(dst []byte, code, text string) []byte {
	return appendStatus(dst, "-ERR ", code, text)
}

func appendStatus(dst []byte, indicator, code, text string) []byte {
	start := len(dst)
	dst = append(dst, indicator...)
	switch {
	case code != "":
		dst = append(dst, '[')
		dst = AppendText(dst, code, 100)
		dst = append(dst, ']', ' ')
	case text != "" && text[0] == '[':
		// RFC 2449 §6.4: text begins with a bracket only for a response code.
		dst = append(dst, '(')
		text = text[1:]
	}
	dst = AppendText(dst, text, MaxStatus-len("\r\n")-(len(dst)-start))
	return append(dst, '\r', '\n')
}

// AppendText appends s as one line of printable ASCII of at most limit octets: other octets become '?', what is too much
// is cut off. So nothing can end a line or dress up as another reply, whoever wrote s.
func AppendText(dst []byte, s string, limit int) []byte {
	if len(s) > limit {
		s = s[:max(limit, 0)]
	}
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' {
			c = '?'
		}
		dst = append(dst, c)
	}
	return dst
}
