package cost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/seed-6c01d079/notify"
)

// maxBookBytes bounds a book as JSON.
const maxBookBytes = 32 << 20

// ReadBook reads a book as JSON, of at most 32 MiB, and checks it. It is strict:
// a name that it does not know, one that comes twice, null, or anything after the
// book is an error. Everything that is wrong is reported, as [notify.FieldError], up
// to 1,000 of them.
//
//	{
//	  "currency": "EUR",
//	  "messages": [
//	    {"channel": "email", "per_message": "0.0001"},
//	    {"channel": "sms", "provider": "twilio", "country": "DE", "from": "2026-04-01T00:00:00Z", "per_segment": "0.0798"}
//	  ],
//	  "observers": [{"observer": "webhooks", "per_invocation": "0.0000002", "per_second": "0.0000166667"}]
//	}
func ReadBook(r io.Reader) (Book, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBookBytes+1))
	switch {
	case err != nil:
		return Book{}, fmt.Errorf("cost: read the price book: %w", err)
	case len(data) > maxBookBytes:
		return Book{}, &notify.FieldError{Field: "Book", Problem: fmt.Sprintf("must have at most %d bytes", maxBookBytes)}
	case !utf8.Valid(data):
		return Book{}, &notify.FieldError{Field: "Book", Problem: "must be valid UTF-8"}
	}
	var b Book
	var d decoding
	d.object("Book", data, map[string]reading{
		"currency": text(&b.Currency),
		"messages": list(&b.Messages, maxMessagePrices, func(p *MessagePrice) map[string]reading {
			return map[string]reading{
				"channel": text(&p.Channel), "provider": text(&p.Provider), "country": text(&p.Country), "from": moment(&p.From),
				"currency": text(&p.Currency), "per_message": price(&p.PerMessage), "per_segment": price(&p.PerSegment),
			}
		}),
		"observers": list(&b.Observers, maxObserverPrices, func(p *ObserverPrice) map[string]reading {
			return map[string]reading{
				"observer": text(&p.Observer), "currency": text(&p.Currency),
				"per_invocation": price(&p.PerInvocation), "per_second": price(&p.PerSecond),
			}
		}),
	})
	for _, problem := range notify.FieldErrors(b.Check()) {
		// What could not be read is not told to be missing, too.
		if !slices.ContainsFunc(d.problems, func(read error) bool { return read.(*notify.FieldError).Field == problem.Field }) {
			d.add(problem.Field, problem.Problem)
		}
	}
	if len(d.problems) > 0 {
		return Book{}, errors.Join(d.problems...)
	}
	return b, nil
}

// decoding collects what is wrong with a document.
type decoding struct{ problems }

// reading reads one value, or says what is wrong with it.
type reading func(d *decoding, field string, data json.RawMessage)

// object reads the members of an object.
func (d *decoding) object(field string, data []byte, members map[string]reading) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		d.add(field, "must be a JSON object")
		return
	}
	seen := map[string]bool{}
	for decoder.More() {
		if d.isFull() {
			return
		}
		token, err := decoder.Token()
		name, isName := token.(string)
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil || !isName {
			d.add(field, "is no valid JSON")
			return
		}
		read, known := members[name]
		switch {
		case !known:
			d.add(field, fmt.Sprintf("has a member %q, and may have %s", clip(name), names(members)))
		case seen[name]:
			d.add(field, fmt.Sprintf("has the member %q twice", name))
		default:
			seen[name] = true
			read(d, field+"."+fieldName(name), value)
		}
	}
	if _, err := decoder.Token(); err != nil {
		d.add(field, "is no valid JSON")
		return
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		d.add(field, "must be the only thing in the document")
	}
}

// list reads an array of objects.
func list[T any](into *[]T, most int, members func(*T) map[string]reading) reading {
	return func(d *decoding, field string, data json.RawMessage) {
		decoder := json.NewDecoder(bytes.NewReader(data))
		if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
			d.add(field, "must be a list of objects")
			return
		}
		all := []T{}
		for i := 0; decoder.More() && !d.isFull(); i++ {
			if i == most {
				d.add(field, fmt.Sprintf("has more than %d prices", most))
				return
			}
			var one json.RawMessage
			if err := decoder.Decode(&one); err != nil {
				d.add(field, "is no valid JSON")
				return
			}
			var item T
			d.object(fmt.Sprintf("%s[%d]", field, i), one, members(&item))
			all = append(all, item)
		}
		*into = all
	}
}

func text[T ~string](into *T) reading {
	return func(d *decoding, field string, data json.RawMessage) {
		if data[0] != '"' || json.Unmarshal(data, into) != nil {
			d.add(field, "must be a string")
		}
	}
}

func price(into *Price) reading {
	return func(d *decoding, field string, data json.RawMessage) {
		var digits string
		if data[0] != '"' || json.Unmarshal(data, &digits) != nil {
			d.add(field, "must be a string: "+errPrice.Error())
			return
		}
		if parsed, err := ParsePrice(digits); err != nil {
			d.add(field, err.Error())
		} else {
			*into = parsed
		}
	}
}

func moment(into *time.Time) reading {
	return func(d *decoding, field string, data json.RawMessage) {
		if data[0] != '"' || json.Unmarshal(data, into) != nil {
			d.add(field, `must be a time as RFC 3339 writes it, such as "2026-04-01T00:00:00Z"`)
		}
	}
}

// fieldName is a member's name as the Go field has it.
func fieldName(member string) string {
	var name []byte
	upper := true
	for _, c := range []byte(member) {
		switch {
		case c == '_':
			upper = true
			continue
		case upper:
			c -= 'a' - 'A'
		}
		upper = false
		name = append(name, c)
	}
	return string(name)
}

func names(members map[string]reading) string {
	var all []string
	for name := range members {
		all = append(all, name)
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// clip keeps what an error quotes short.
func clip(name string) string {
	if len(name) > 64 {
		return name[:64] + "…"
	}
	return name
}
