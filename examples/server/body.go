package main

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"
)

// maxBody is what is read of a body at most. A notification may take half of it
// as JSON in its shortest form (notify.Config.MaxBytes).
const maxBody = 512 << 10

// readBody reads a body that says it is JSON, and no more of it than maxBody.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		w.Header().Set("Accept", "application/json") // RFC 9110, section 15.5.16
		return nil, &wrongType
	}
	p := tooLarge.with(fmt.Sprintf("A body has at most %d bytes.", maxBody))
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // nobody reads the rest
		return nil, &p
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
	case err != nil:
		p = notJSON.with("It could not be read to its end.")
	case !utf8.Valid(body):
		p = notJSON.with("It is not valid UTF-8.")
	default:
		return body, nil
	}
	return nil, &p
}
