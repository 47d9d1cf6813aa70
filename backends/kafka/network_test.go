package kafka_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// network is between the clients and the brokers of a cluster in this process.
type network struct {
	tb    testing.TB
	addrs []string

	mu      sync.Mutex
	proxies []*proxy
}

// proxy forwards the connections to one broker.
type proxy struct {
	to    string
	addr  string
	tasks sync.WaitGroup

	mu    sync.Mutex
	ln    net.Listener // nil while it is down
	conns map[net.Conn]struct{}
	delay time.Duration
	muted chan struct{} // answers are held back until it is closed; nil if not
}

// behind starts a cluster whose brokers are reached through a network.
func behind(tb testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *network) {
	tb.Helper()
	n := &network{tb: tb}
	fake := newFake(tb, append(opts, kfake.ListenFn(n.listen))...)
	n.addrs = fake.ListenAddrs()
	tb.Cleanup(func() { n.down(); n.wait() })
	return fake, n
}

// listen is where a broker listens: it tells clients the address of a proxy.
func (n *network) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	p := &proxy{to: ln.Addr().String(), conns: map[net.Conn]struct{}{}}
	if p.ln, err = fixed(); err != nil {
		return nil, err
	}
	p.addr = p.ln.Addr().String()
	p.accept(p.ln)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proxies = append(n.proxies, p)
	return &proxied{Listener: ln, addr: p.ln.Addr()}, nil
}

type proxied struct {
	net.Listener
	addr net.Addr
}

func (p *proxied) Addr() net.Addr { return p.addr }

func (n *network) each(f func(p *proxy)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.proxies {
		f(p)
	}
}

// cut ends every connection; new ones can be made at once.
func (n *network) cut() { n.each((*proxy).cut) }

// down ends every connection, and refuses new ones.
func (n *network) down() { n.each((*proxy).down) }

// up undoes down.
func (n *network) up() {
	n.tb.Helper()
	n.each(func(p *proxy) { require.NoError(n.tb, p.up()) })
}

// slow has everything take so much longer, each way.
func (n *network) slow(by time.Duration) {
	n.each(func(p *proxy) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.delay = by
	})
}

// mute holds back what brokers answer until the returned function is called.
func (n *network) mute() (speak func()) {
	muted := make(chan struct{})
	set := func(to chan struct{}) {
		n.each(func(p *proxy) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.muted = to
		})
	}
	set(muted)
	speak = sync.OnceFunc(func() { set(nil); close(muted) })
	n.tb.Cleanup(speak)
	return speak
}

func (n *network) wait() { n.each(func(p *proxy) { p.tasks.Wait() }) }

func (p *proxy) up() error {
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ln = ln
	p.accept(ln)
	return nil
}

func (p *proxy) accept(ln net.Listener) {
	p.tasks.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.serve(conn) })
		}
	})
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *proxy) down() {
	p.mu.Lock()
	if p.ln != nil {
		_ = p.ln.Close()
		p.ln = nil
	}
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) serve(client net.Conn) {
	broker, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[broker] = struct{}{}, struct{}{}
	gone := p.ln == nil
	p.mu.Unlock()
	if gone {
		_, _ = client.Close(), broker.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(client, broker, true) })
	both.Go(func() { p.forward(broker, client, false) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	delete(p.conns, broker)
}

func (p *proxy) forward(to, from net.Conn, answers bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		delay, muted := p.delay, p.muted
		p.mu.Unlock()
		time.Sleep(delay)
		if answers && muted != nil {
			<-muted
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

var _ io.Closer = (*proxied)(nil)
