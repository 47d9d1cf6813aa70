package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"
)

// ports counts those of startMiniredis.
var ports atomic.Int64

// startMiniredis starts one whose XCLAIM heeds its min-idle-time, as that of
// Redis does and that of miniredis 2.40.0 does not: without that, all lanes of a
// group claim one message. Its port is none that the system gives to anybody by
// itself, nor this to anybody else, so that it is free when it is started again. The
// test closes it.
func startMiniredis(tb testing.TB) *miniredis.Miniredis {
	tb.Helper()
	m := miniredis.NewMiniRedis()
	require.Eventually(tb, func() bool {
		port := 10_000 + (os.Getpid()*100+int(ports.Add(1)))%20_000
		return m.StartAddr("127.0.0.1:"+strconv.Itoa(port)) == nil
	}, time.Minute, time.Millisecond)
	tb.Cleanup(m.Close)
	var mu sync.Mutex
	claimed := map[string]time.Time{}
	m.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) (done bool) {
		if !strings.EqualFold(cmd, "XCLAIM") || len(args) < 5 { // key, group, consumer, min-idle-time, ID
			return false
		}
		idle, err := strconv.Atoi(args[3])
		if err != nil {
			return false
		}
		entry := strings.Join([]string{args[0], args[1], args[4]}, "\x00")
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if at, ok := claimed[entry]; ok && now.Sub(at) < time.Duration(idle)*time.Millisecond {
			c.WriteLen(0)
			return true
		}
		claimed[entry] = now
		return false
	})
	return m
}
