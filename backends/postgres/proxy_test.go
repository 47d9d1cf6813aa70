package postgres_test

import (
	"io"
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

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newProxy returns one that is down.
func newProxy(t testing.TB) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dir := strings.TrimPrefix(strings.Fields(server.DSN())[0], "host=")
	p := &proxy{socket: dir + "/.s.PGSQL.5432", listener: l, conns: map[net.Conn]bool{}}
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
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_, _ = from.Close(), to.Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}
