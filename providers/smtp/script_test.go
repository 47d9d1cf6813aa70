package smtp_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// script is what a scripted server does on one connection. A point is a
// command, or "connect", "content" (after 354, before the end), or "answer".
type script struct {
	replies map[string]string // by point; a point without one is answered well
	cut     string            // the point at which it closes without an answer
	hang    string            // the point at which it falls silent
	mails   int               // how many mails go well before cut and hang count
}

// scripted is a server that follows scripts: the first connection the first,
// and so on; the last one for all that follow.
type scripted struct {
	addr    string
	reached chan struct{} // gets a value when a script hangs
	stop    chan struct{} // closed when the test ends

	mu          sync.Mutex
	connections int
	commands    []string
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// heard returns the commands of all connections.
func (s *scripted) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

func follow(t testing.TB, scripts ...script) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return followOn(t, listener, scripts...)
}

func followOn(t testing.TB, listener net.Listener, scripts ...script) *scripted {
	t.Helper()
	s := &scripted{addr: listener.Addr().String(), reached: make(chan struct{}, 100), stop: make(chan struct{})}
	var open sync.WaitGroup
	var conns sync.Map
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			one := scripts[min(s.connections, len(scripts)-1)]
			s.connections++
			s.mu.Unlock()
			conns.Store(conn, true)
			open.Go(func() {
				defer conn.Close()
				s.talk(conn, one)
			})
		}
	})
	t.Cleanup(func() {
		close(s.stop)
		_ = listener.Close()
		conns.Range(func(conn, _ any) bool {
			_ = conn.(net.Conn).Close()
			return true
		})
		open.Wait()
	})
	return s
}

func (s *scripted) talk(conn net.Conn, do script) {
	r := bufio.NewReader(conn)
	point, sent := "connect", 0
	for {
		armed := sent >= do.mails
		switch {
		case armed && do.cut == point:
			return
		case armed && do.hang == point:
			s.reached <- struct{}{}
			// Neither an answer nor a read, so that what is sent piles up.
			<-s.stop
			return
		}
		reply := standard[point]
		if special, ok := do.replies[point]; ok && armed {
			reply = special
		}
		if _, err := io.WriteString(conn, reply+"\r\n"); err != nil || point == "QUIT" || strings.HasPrefix(reply, "421") {
			return
		}
		if point == "answer" {
			sent++
		}
		if point == "DATA" && strings.HasPrefix(reply, "354") {
			if point = "content"; armed && (do.cut == point || do.hang == point) {
				if _, err := r.ReadByte(); err != nil {
					return
				}
				continue
			}
			if !readContent(r) {
				return
			}
			point = "answer"
			continue
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		s.mu.Lock()
		s.commands = append(s.commands, strings.TrimSpace(line))
		s.mu.Unlock()
		point = strings.ToUpper(strings.Fields(line + " ?")[0])
	}
}

func readContent(r *bufio.Reader) bool {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return true
		}
	}
}

var standard = map[string]string{
	"connect": "220 mx.example.com ESMTP",
	"EHLO":    "250-mx.example.com\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES",
	"HELO":    "250 mx.example.com",
	"AUTH":    "235 2.7.0 welcome",
	"*":       "501 5.7.0 given up",
	"RSET":    "250 2.0.0 reset",
	"MAIL":    "250 2.1.0 sender ok",
	"RCPT":    "250 2.1.5 recipient ok",
	"DATA":    "354 go on",
	"answer":  "250 2.6.0 queued as 12345",
	"QUIT":    "221 2.0.0 bye",
}
