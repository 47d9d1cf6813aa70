package webhook_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// hostileIPs are addresses that only the host can reach.
func hostileIPs() []netip.Addr {
	var all []netip.Addr
	for _, text := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
	} {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// hostileHosts are the ways to write an address that some parser reads.
func hostileHosts(a netip.Addr) []string {
	b := a.As4()
	number := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	dotted := a.String()
	hosts := []string{
		dotted,
		dotted + ".",
		fmt.Sprint(number),
		fmt.Sprintf("0x%x", number),
		fmt.Sprintf("0X%08X", number),
		fmt.Sprintf("0%o", number),
		fmt.Sprintf("%d", uint64(number)+1<<32),
		fmt.Sprintf("%#o.%#o.%#o.%#o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%#x.%#x.%#x.%#x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d", b[0], number&0xffffff),
		fmt.Sprintf("%d.%d.%d", b[0], b[1], number&0xffff),
		fmt.Sprintf("%#x.%d", b[0], number&0xffffff),
		fmt.Sprintf("[::ffff:%s]", dotted),
		fmt.Sprintf("[::ffff:%x:%x]", number>>16, number&0xffff),
		fmt.Sprintf("[0:0:0:0:0:ffff:%x:%x]", number>>16, number&0xffff),
		fmt.Sprintf("[::%s]", dotted),
		fmt.Sprintf("[::ffff:0:%s]", dotted),
		fmt.Sprintf("[64:ff9b::%s]", dotted),
		fmt.Sprintf("[64:ff9b:1::%s]", dotted),
		fmt.Sprintf("[2002:%x:%x::1]", number>>16, number&0xffff),
		fmt.Sprintf("[2001:0:%x:%x::1]", number>>16, number&0xffff),
		strings.ReplaceAll(dotted, ".", "。"),
		strings.ReplaceAll(dotted, ".", "．"),
		strings.ReplaceAll(dotted, ".", "｡"),
		strings.ReplaceAll(dotted, ".", "%2e"),
		strings.NewReplacer("0", "０", "1", "１", "2", "２").Replace(dotted),
		strings.NewReplacer("1", "①", "2", "②", "0", "⓪").Replace(dotted),
		"%" + fmt.Sprintf("%x", dotted[0]) + dotted[1:],
		"ⅼocalhost." + dotted,
		dotted + "%00.example.com",
		dotted + ".nip.io",
	}
	return hosts
}

// hostileURLs are URLs that lead to a port of the host's own.
func hostileURLs(port uint16) []string {
	var all []string
	at := fmt.Sprintf(":%d/", port)
	for _, a := range hostileIPs() {
		for _, host := range hostileHosts(a) {
			all = append(all, "http://"+host+at)
		}
		dotted := a.String()
		all = append(
			all,
			"http://example.com@"+dotted+at,
			"http://example.com:80@"+dotted+at,
			"http://user:password@"+dotted+at,
			"http://"+dotted+at+"@example.com/",
			"http://"+dotted+strings.TrimSuffix(at, "/")+"\\@example.com/",
			"http://"+dotted+strings.TrimSuffix(at, "/")+"#@example.com/",
			"http://"+dotted+strings.TrimSuffix(at, "/")+"?@example.com/",
			"http:\\\\"+dotted+at,
			"http:/"+dotted+at,
			"http:"+dotted+at,
			"//"+dotted+at,
			"HTTP://"+dotted+at,
			" http://"+dotted+at,
			"http://"+dotted+at+" ",
			"http://\t"+dotted+at,
			"ht\ntp://"+dotted+at,
			"http://"+dotted+at+"\r\nHost: example.com",
		)
	}
	for _, host := range []string{
		"localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "a.localhost", "ip6-localhost", "localhost%00", "loc%61lhost",
		"localhoſt", "ⓛocalhost", "xn--localhost", "metadata", "metadata.google.internal", "kubernetes.default.svc.local", "router.lan",
		"intranet.corp", "printer.home", "a.home.arpa", "a.onion", "a.test", "a.invalid", "instance-data",
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]", "[fe80::1]", "[fec0::1]", "[fd00:ec2::254]", "[fd20:ce::254]",
		"[ff02::1]", "[::0001]", "[1::]", "[100::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[::ffff:7f00:1]", "[::127.1]", "[127.0.0.1]", "::1",
		"0", "1", "0x", "00", "127.1", "127.0.1", "0177.1", "0x7f.1", "0x7f000001", "0x7F.0X0.0.1", "017700000001", "127.0.0.1.1", "127.0.0.256", "256.256.256.256",
		"127..1", "127.0.0.1..", ".127.0.0.1", "-127.0.0.1", "127.0.0.-1", "1.1.1.1 &@127.0.0.1", "127.0.0.1,example.com", "127.0.0.1;example.com",
		"example.com.127.0.0.1", "0.0.0.0.", "①②⑦.⓪.⓪.①", "１２７.０.０.１", "", ".", "..", "*", "*.example.com", "exa mple.com", "example..com", "-example.com", "example-.com",
		"example.com.", "exämple.com", "example。com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com",
		"255.255.255.255", "240.0.0.1", "224.0.0.1", "198.18.0.1", "203.0.113.1", "198.51.100.1", "192.0.2.1", "192.88.99.1",
	} {
		all = append(all, "http://"+host+at)
	}
	for _, scheme := range []string{
		"file", "ftp", "gopher", "dict", "ldap", "tftp", "jar", "netdoc", "sftp", "ssh", "telnet", "ws", "wss", "unix", "data", "javascript", "blob", "h2c",
	} {
		all = append(all, scheme+"://127.0.0.1"+at, scheme+":127.0.0.1"+at)
	}
	for _, p := range []string{":", ":0", ":22", ":00080", ":65536", ":99999999", ":-1", ":+80", ":８０", ":80a", ":0x50", ":80:80", ": 80"} {
		all = append(all, "http://127.0.0.1"+p+"/", "http://example.com"+p+"/")
	}
	return all
}

// deniedAddresses are some of each denied prefix, always the same.
func deniedAddresses() []netip.Addr {
	random := rand.New(rand.NewPCG(1, 2))
	var all []netip.Addr
	for _, prefix := range webhook.Denied() {
		for i := range 6 {
			bytes := prefix.Addr().AsSlice()
			for bit := prefix.Bits(); bit < prefix.Addr().BitLen(); bit++ {
				if i == 1 || i > 1 && random.IntN(2) == 1 { // the first, the last, and some between
					bytes[bit/8] |= 1 << (7 - bit%8)
				}
			}
			a, _ := netip.AddrFromSlice(bytes)
			all = append(all, a)
		}
	}
	return all
}
