package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// openService opens a service in this process and runs its Notifier.
func openService(t *testing.T, log io.Writer, args ...string) *service {
	t.Helper()
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	s, err := open(o, io.Discard, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- s.notifier.Run(context.Background()) }()
	require.NoError(t, s.notifier.Ready(t.Context()))
	t.Cleanup(func() {
		require.NoError(t, s.close(context.Background()))
		require.NoError(t, <-ran)
	})
	return s
}

func serveWith(t *testing.T, server *http.Server) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return "http://" + listener.Addr().String()
}
