package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// addressProblem says what is wrong with an address of the channel, or
// nothing. It never quotes the address.
func addressProblem(channel Channel, address string) string {
	switch channel {
	case EmailChannel:
		if !validMailbox(address) {
			return "has to be a plain mail address such as name@example.com, of at most 254 bytes"
		}
	case SMSChannel:
		if !validE164(address) {
			return "has to be a number as E.164 writes it: '+' and 7 to 15 digits"
		}
	default:
		if address == "" || len(address) > 4096 || !isLine(address) {
			return "has to be 1 to 4096 bytes of one line, without control characters"
		}
	}
	return ""
}

// validMailbox accepts the addr-spec of RFC 5322, section 3.4.1, with a
// dot-atom on both sides, which RFC 6531 extends by UTF-8: no display name, no
// quoted local part, no domain literal. The domain has a dot, or is localhost.
func validMailbox(address string) bool {
	if len(address) > 254 || !utf8.ValidString(address) {
		return false
	}
	at := strings.LastIndexByte(address, '@')
	return at > 0 && validLocalPart(address[:at]) && validDomain(address[at+1:])
}

func validLocalPart(local string) bool {
	if len(local) > 64 || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for _, r := range local {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r < utf8.RuneSelf:
			if !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) {
				return false
			}
		case !unicode.IsGraphic(r) || unicode.IsSpace(r):
			return false
		}
	}
	return true
}

func validDomain(domain string) bool {
	if strings.EqualFold(domain, "localhost") {
		return true
	}
	labels, last := 0, ""
	for label := range strings.SplitSeq(domain, ".") {
		if !validLabel(label) {
			return false
		}
		labels, last = labels+1, label
	}
	// A top-level name is never all digits (RFC 3696, section 2): that would
	// be an IP address.
	return labels > 1 && strings.Trim(last, "0123456789") != ""
}

func validLabel(label string) bool {
	if len(label) < 1 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, r := range label {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
		case r < utf8.RuneSelf:
			return false
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
			return false
		}
	}
	return true
}

func validE164(number string) bool {
	digits, ok := strings.CutPrefix(number, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return false
	}
	for _, b := range []byte(digits) {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

// addressHasher makes what events carry of an address: HMAC-SHA-256 (RFC 2104)
// of the channel and the address, its first 16 bytes in base64url without
// padding. A mail domain counts in lower case. Without a key there is no
// hash: the result is empty.
type addressHasher struct {
	key  []byte
	macs sync.Pool // of hash.Hash: a key is dear to set up
}

// AddressHash is what events carry of an address of the channel: a keyed hash,
// by [Config.AddressKey], from which nobody without the key learns the address.
// It is the same for as long as the key is.
func (n *Notifier) AddressHash(c Channel, address string) string { return n.pipeline.hash(c, address) }

func newAddressHasher(key []byte) *addressHasher {
	h := &addressHasher{key: key}
	h.macs.New = func() any { return hmac.New(sha256.New, key) }
	return h
}

func (h *addressHasher) hash(channel Channel, address string) string {
	if len(h.key) == 0 {
		return ""
	}
	if at := strings.LastIndexByte(address, '@'); channel == EmailChannel && at >= 0 {
		address = address[:at] + strings.ToLower(address[at:])
	}
	mac := h.macs.Get().(hash.Hash)
	defer h.macs.Put(mac)
	mac.Reset()
	var buffer [128]byte
	mac.Write(append(append(append(buffer[:0], channel...), 0), address...))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(buffer[:0])[:16])
}
