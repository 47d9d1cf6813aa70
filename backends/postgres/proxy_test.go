package postgres_test

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands before the server, and can be down or cut.
type proxy struct {
	socket   string // the server's
	listener net.Listener
	turned   atomic.Int64
	isUp     atomic.Bool
	running  sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	after   string        // what makes a connection fall silent that carries it
	reached chan struct{} // closed when that was so
	silent  map[net.Conn]bool
	before  string        // what a connection is cut before it carries it
	broke   chan struct{} // closed when that was so
}

// newProxy returns one that is down.
func newProxy(t testing.TB) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dir := strings.TrimPrefix(strings.Fields(server.DSN())[0], "host=")
	p := &proxy{socket: dir + "/.s.PGSQL.5432", listener: l, conns: map[net.Conn]bool{}, silent: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) dsn() string {
	at := p.listener.Addr().(*net.TCPAddr)
	return "host=127.0.0.1 port=" + strconv.Itoa(at.Port) + " user=postgres dbname=postgres sslmode=disable"
}

func (p *proxy) up()            { p.isUp.Store(true) }
func (p *proxy) down()          { p.isUp.Store(false); p.cut() }
func (p *proxy) refused() int64 { return p.turned.Load() }

// silence has the connections that are open carry nothing any more, and not end.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.silent[c] = true
	}
}

// silenceAfter has the next connection that carries a text fall silent then.
func (p *proxy) silenceAfter(text string) (reached <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.reached = text, make(chan struct{})
	return p.reached
}

// cutBefore has the next connection that would carry a text end instead.
func (p *proxy) cutBefore(text string) (broke <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.broke = text, make(chan struct{})
	return p.broke
}

func (p *proxy) breaks(part []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before == "" || !strings.Contains(string(part), p.before) {
		return false
	}
	p.before = ""
	close(p.broke)
	return true
}

func (p *proxy) isSilent(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent[c]
}

// carry copies until the connection ends. A silent one swallows everything, its
// end too.
func (p *proxy) carry(from, to net.Conn) {
	part := make([]byte, 1<<16)
	for {
		n, err := from.Read(part)
		if p.isSilent(from) {
			if err != nil {
				return
			}
			continue
		}
		if err != nil || p.breaks(part[:n]) {
			_, _ = from.Close(), to.Close()
			return
		}
		p.mu.Lock()
		if p.after != "" && strings.Contains(string(part[:n]), p.after) {
			p.silent[from], p.silent[to] = true, true
			p.after = ""
			close(p.reached)
		}
		p.mu.Unlock()
		_, _ = to.Write(part[:n])
	}
}

// cut ends the connections that are open.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.isUp.Load() {
			p.turned.Add(1)
			_ = c.Close()
			continue
		}
		p.running.Go(func() { p.pass(c) })
	}
}

func (p *proxy) pass(c net.Conn) {
	s, err := net.Dial("unix", p.socket)
	if err != nil {
		_ = c.Close()
		return
	}
	p.mu.Lock()
	p.conns[c], p.conns[s] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{c: s, s: c} {
		both.Go(func() { p.carry(from, to) })
	}
	both.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}
