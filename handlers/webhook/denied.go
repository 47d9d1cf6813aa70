package webhook

import "net/netip"

// deniedPrefixes are the addresses that no endpoint may have: what the IANA
// special-purpose registries (RFC 6890) do not list as globally reachable, what
// holds an IPv4 address inside an IPv6 one, and what clouds reach their metadata
// by.
func deniedPrefixes() []netip.Prefix {
	list := []string{
		"0.0.0.0/8",         // this network, and unspecified
		"10.0.0.0/8",        // private
		"100.64.0.0/10",     // shared by carriers; metadata of Alibaba Cloud
		"127.0.0.0/8",       // loopback
		"168.63.129.16/32",  // metadata of Azure, among public addresses
		"169.254.0.0/16",    // link-local, metadata of most clouds
		"172.16.0.0/12",     // private
		"192.0.0.0/24",      // protocol assignments; metadata of Oracle Cloud
		"192.0.2.0/24",      // documentation
		"192.31.196.0/24",   // AS112
		"192.52.193.0/24",   // AMT relays
		"192.88.99.0/24",    // 6to4 relays
		"192.168.0.0/16",    // private
		"192.175.48.0/24",   // AS112
		"198.18.0.0/15",     // benchmarks
		"198.51.100.0/24",   // documentation
		"203.0.113.0/24",    // documentation
		"224.0.0.0/4",       // multicast
		"240.0.0.0/4",       // reserved, and broadcast
		"::/96",             // unspecified, loopback, and IPv4-compatible
		"::ffff:0.0.0.0/96", // IPv4-mapped; the dialer hands over the IPv4 address
		"::ffff:0:0:0/96",   // IPv4-translated
		"64:ff9b::/96",      // NAT64
		"64:ff9b:1::/48",    // NAT64 of one's own
		"100::/64",          // discard
		"100:0:0:1::/64",    // dummy
		"2001::/23",         // protocol assignments: Teredo, benchmarks, ORCHID and more
		"2001:db8::/32",     // documentation
		"2002::/16",         // 6to4
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
		"5f00::/16",         // segment routing
		"fc00::/7",          // unique local; metadata of AWS and Google Cloud
		"fe80::/10",         // link-local
		"fec0::/10",         // site-local
		"ff00::/8",          // multicast
	}
	prefixes := make([]netip.Prefix, len(list))
	for i, text := range list {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// globalUnicast is what IANA assigns IPv6 addresses from: no others are called.
func globalUnicast() netip.Prefix { return netip.MustParsePrefix("2000::/3") }
