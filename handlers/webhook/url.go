package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	maxURLBytes   = 2048
	maxHostBytes  = 253
	maxLabelBytes = 63
)

// parse returns the URL of an endpoint, or what is wrong with it, which does not
// tell the URL. It refuses what parsers read in different ways; what a name
// resolves to is checked when it is called.
func (n *network) parse(text string) (*url.URL, string) {
	schemes := "https"
	if n.AllowHTTP {
		schemes = "https or http"
	}
	u, err := url.Parse(text)
	scheme, rest, found := strings.Cut(text, "://")
	authority, _, _ := strings.Cut(strings.ReplaceAll(rest, "?", "/"), "/")
	switch {
	case text == "" || len(text) > maxURLBytes:
		return nil, fmt.Sprintf("must have 1 to %d bytes", maxURLBytes)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) }):
		return nil, "must be printable ASCII without spaces, quotes and backslashes; write a name in another script as xn--..., the rest as %XX"
	case err != nil || !found:
		return nil, "must be an absolute URL"
	case u.Scheme != "https" && (u.Scheme != "http" || !n.AllowHTTP) || scheme != u.Scheme:
		return nil, "must begin with " + schemes + "://"
	case strings.Contains(text, "#"):
		return nil, "must not have a fragment"
	case u.User != nil || strings.Contains(authority, "@"):
		return nil, "must not have a user or a password; the signature tells who calls"
	case u.Host != authority || strings.Contains(authority, "%"):
		return nil, "must have a host as it is, without %"
	}
	if problem := n.hostProblem(u.Hostname(), strings.HasPrefix(authority, "[")); problem != "" {
		return nil, problem
	}
	port := uint16(443)
	if u.Scheme == "http" {
		port = 80
	}
	if given := strings.TrimPrefix(authority, hostOf(authority)); given != "" {
		number, err := strconv.ParseUint(strings.TrimPrefix(given, ":"), 10, 16)
		if err != nil || strconv.FormatUint(number, 10) != given[1:] {
			return nil, "must have a port that is a number, or none"
		}
		port = uint16(number)
	}
	if !slices.Contains(n.Ports, port) {
		return nil, fmt.Sprintf("must have one of the ports %v", n.Ports)
	}
	return u, ""
}

// hostOf is the authority without its port.
func hostOf(authority string) string {
	if end := strings.IndexByte(authority, ']'); end >= 0 {
		return authority[:end+1]
	}
	host, _, _ := strings.Cut(authority, ":")
	return host
}

func (n *network) hostProblem(host string, bracketed bool) string {
	const notAllowed = "must have a public address"
	if bracketed {
		a, err := netip.ParseAddr(host)
		switch {
		case err != nil || !a.Is6() || a.Zone() != "" || a.Is4In6():
			return "must have an IPv6 address between brackets, without a zone, and no IPv4 address in it"
		case !n.allowed(a):
			return notAllowed
		}
		return ""
	}
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	// As browsers do: what ends in a number is an IPv4 address.
	if isNumber(last) {
		a, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return "must have an IPv4 address in the form 192.0.2.1, or a name"
		case !n.allowed(a):
			return notAllowed
		}
		return ""
	}
	if host == "" || len(host) > maxHostBytes {
		return fmt.Sprintf("must have a host of 1 to %d bytes", maxHostBytes)
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabelBytes || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "must have a host name of letters, digits, '-' and '_', with single dots between and none at its end"
		}
	}
	if len(n.Allow) == 0 && (len(labels) == 1 || slices.Contains(privateNames(), last) || strings.HasSuffix(host, ".home.arpa")) {
		return "must have a public name"
	}
	return ""
}

// privateNames are what names of private networks end in.
func privateNames() []string {
	return []string{
		"localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "test", "invalid", "onion", "alt",
	}
}

// isNumber tells whether some parser takes the label for a number.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}
