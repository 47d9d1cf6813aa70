package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Network says what endpoints may be called. The zero value allows https on port
// 443 of public addresses. The address is checked when the connection is made,
// after the name was resolved, so that a name cannot pass and then change. No
// proxy is used, also none from the environment, and no redirect is followed.
type Network struct {
	// AllowHTTP allows http, and by default port 80 for it. What is sent can be
	// read on the way then.
	AllowHTTP bool
	// Ports are those allowed; default 443, with AllowHTTP 80 too. No value allows
	// all ports: a test starts its server first, and allows its port and address, as
	// the package's example does.
	Ports []uint16
	// Allow are addresses that are allowed although they are not public, for
	// tests and private networks. If there are any, names of private networks
	// are allowed too, such as "hooks" or "hooks.internal".
	Allow []netip.Prefix
	// Deny are further addresses that are not, such as public ones of the host's
	// own; it comes before Allow.
	Deny []netip.Prefix
	// Resolver resolves names; default [net.DefaultResolver].
	Resolver *net.Resolver
	// RootCAs are the certificate authorities that are trusted; default the
	// system's.
	RootCAs *x509.CertPool
}

// errBlocked is what a connection fails with whose address or port is not
// allowed.
var errBlocked = errors.New("webhook: the address is not allowed")

// network is a Network, ready to be asked.
type network struct {
	Network
	denied []netip.Prefix
	global netip.Prefix
}

func newNetwork(config Network) *network {
	n := &network{Network: config, denied: deniedPrefixes(), global: globalUnicast()}
	if len(n.Ports) == 0 {
		n.Ports = []uint16{443}
		if n.AllowHTTP {
			n.Ports = append(n.Ports, 80)
		}
	}
	return n
}

// allowed tells whether the address may be called.
func (n *network) allowed(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case slices.ContainsFunc(n.Deny, within):
		return false
	case slices.ContainsFunc(n.Allow, within):
		return true
	case slices.ContainsFunc(n.denied, within):
		return false
	default:
		return a.Is4() || n.global.Contains(a)
	}
}

// control is what the dialer asks before each connection that it makes, with
// the address that the name was resolved to.
func (n *network) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !n.allowed(to.Addr()) || !slices.Contains(n.Ports, to.Port()) {
		return errBlocked
	}
	return nil
}
