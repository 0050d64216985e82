package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gmailPiece is how much of a message goes in one request. The API wants multiples of 256 KiB.
const gmailPiece = 1 << 20

// maxResume is how often one message's upload is taken up again after a failure: after 2, 4, 8 seconds, and so on.
const maxResume = 5

// A gmailDelivery is an upload, which is begun and then sent in pieces, mostly in one. Whatever answer is lost, the upload
// can be asked after: a message that went with its labels in one request could not.
type gmailDelivery struct {
	sink   *Gmail
	ctx    context.Context // of Begin
	labels []string

	held    []byte // what has not been sent
	sent    int64  // octets before held
	upload  string // address of the upload, once it was begun
	resumed int
	ended   bool
	failed  error
}

func (d *gmailDelivery) Write(p []byte) (int, error) {
	if d.ended {
		return 0, errEnded
	}
	if d.failed != nil {
		return 0, d.failed
	}
	n := len(p)
	for len(p) > 0 {
		// The last piece is known as such only at Commit, so a full one waits for the next octet.
		if len(d.held) == gmailPiece {
			if d.failed = d.more(d.ctx); d.failed != nil {
				return n - len(p), d.failed
			}
		}
		k := min(len(p), gmailPiece-len(d.held))
		if len(d.held)+k > cap(d.held) && len(d.held) >= blocks { // no small message: get all the room at once
			d.held = slices.Grow(d.held, gmailPiece-len(d.held))
		}
		d.held = append(d.held, p[:k]...)
		p = p[k:]
	}
	return n, nil
}

// Commit sends the rest and waits for the API's word that the message is in the mailbox.
func (d *gmailDelivery) Commit(ctx context.Context) error {
	if d.ended {
		return errEnded
	}
	d.ended = true
	defer func() { d.held = nil }()
	if d.failed != nil {
		return d.failed
	}
	if err := errors.Join(ctx.Err(), d.ctx.Err()); err != nil {
		return temporary(err)
	}
	if d.upload == "" {
		if err := d.begin(ctx); err != nil {
			return err
		}
	}
	return d.piece(ctx, d.sent+int64(len(d.held)))
}

// Abort leaves an upload that was begun to the API, which forgets it: nothing of it is in the mailbox.
func (d *gmailDelivery) Abort() {
	d.ended, d.held = true, nil
}

// address is where an upload begins.
func (d *gmailDelivery) address() string {
	q := url.Values{"uploadType": {"resumable"}, "internalDateSource": {"dateHeader"}}
	q.Set("neverMarkSpam", strconv.FormatBool(!d.sink.opt.MarkSpam))
	return d.sink.opt.Address + "/upload/gmail/v1/users/me/messages/import?" + q.Encode()
}

// refused types an answer that says no. Perhaps a label is gone: the next message looks them up again.
func (d *gmailDelivery) refused(answer gmailAnswer) error {
	if answer.status == http.StatusBadRequest {
		d.sink.forgetLabels()
	}
	return d.sink.fault(answer)
}

// verdict returns nil if the API says that the message is in the mailbox.
func (d *gmailDelivery) verdict(answer gmailAnswer) error {
	if answer.status != http.StatusOK && answer.status != http.StatusCreated {
		return d.refused(answer)
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer.text, &made); err != nil || made.ID == "" {
		return temporary(fmt.Errorf("%s: the API answered %d without the id of a message", d.sink.Name(), answer.status))
	}
	return nil
}

// more sends a full piece, which is not the last.
func (d *gmailDelivery) more(ctx context.Context) error {
	if d.upload == "" {
		if err := d.begin(ctx); err != nil {
			return err
		}
	}
	if d.sent+int64(len(d.held)) >= maxGmail {
		return fmt.Errorf("%s: the message has more than the %d octets that Gmail takes", d.sink.Name(), maxGmail)
	}
	return d.piece(ctx, -1)
}

// begin asks for the address of a new upload.
func (d *gmailDelivery) begin(ctx context.Context) error {
	metadata, err := json.Marshal(struct {
		LabelIDs []string `json:"labelIds"`
	}{d.labels})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json; charset=UTF-8"}, "X-Upload-Content-Type": {"message/rfc822"}}
	answer, err := d.sink.do(ctx, http.MethodPost, d.address(), header, metadata)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return d.refused(answer)
	}
	base, err := url.Parse(d.sink.opt.Address)
	if err != nil {
		return err
	}
	to, err := base.Parse(answer.header.Get("Location"))
	if err != nil || to.Scheme != base.Scheme || to.Host != base.Host || answer.header.Get("Location") == "" {
		return temporary(fmt.Errorf("%s: the API named no place of its own for the upload", d.sink.Name())) // our token goes nowhere else
	}
	d.upload = to.String()
	return nil
}

// piece sends what is held. total is the size of the whole message with the last piece, else -1.
func (d *gmailDelivery) piece(ctx context.Context, total int64) error {
	size := "*"
	if total >= 0 {
		size = strconv.FormatInt(total, 10)
	}
	for asking := false; ; {
		content, body := fmt.Sprintf("bytes %d-%d/%s", d.sent, d.sent+int64(len(d.held))-1, size), d.held
		if asking || len(d.held) == 0 {
			content, body = "bytes */"+size, nil
		}
		answer, err := d.sink.do(ctx, http.MethodPut, d.upload, http.Header{"Content-Range": {content}}, body)
		if err == nil && answer.status < http.StatusInternalServerError {
			if done, err := d.taken(answer, total); done || err != nil {
				return err
			}
			asking = false
			continue
		}
		if ctx.Err() != nil || d.resumed >= maxResume {
			if err == nil {
				err = d.sink.fault(answer)
			}
			return err
		}
		// Nobody knows what of it arrived: ask.
		d.resumed++
		if err := d.sink.opt.Wait(ctx, time.Second<<d.resumed); err != nil {
			return temporary(err)
		}
		asking = true
	}
}

// taken looks at the answer to a piece. done: all that was held is there. Else what is held is the rest of it.
func (d *gmailDelivery) taken(answer gmailAnswer, total int64) (done bool, err error) {
	if answer.status != http.StatusPermanentRedirect { // 308 is "Resume Incomplete" here
		err := d.verdict(answer)
		if err == nil && total < 0 {
			err = temporary(fmt.Errorf("%s: the API has ended the upload before its end", d.sink.Name()))
		}
		return err == nil, err
	}
	have := int64(0) // without a Range nothing is there
	if last, ok := strings.CutPrefix(answer.header.Get("Range"), "bytes=0-"); ok {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return false, temporary(fmt.Errorf("%s: the API does not say how far the upload has come", d.sink.Name()))
		}
		have = n + 1
	}
	end := d.sent + int64(len(d.held))
	switch {
	case have < d.sent || have > end:
		return false, temporary(fmt.Errorf("%s: the API has %d octets of the upload, %d to %d were expected", d.sink.Name(), have, d.sent, end))
	case have == d.sent || have == end && total >= 0:
		d.resumed++ // it took nothing, or all without saying that the message is complete
		if d.resumed > maxResume {
			return false, temporary(fmt.Errorf("%s: the upload does not get on", d.sink.Name()))
		}
	}
	d.held = d.held[:copy(d.held, d.held[have-d.sent:])]
	d.sent = have
	return len(d.held) == 0 && total < 0, nil
}
