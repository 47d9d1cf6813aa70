package main

import (
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

const backendNames = "memory, broker, apart, sqlite, postgres, kafka, kafka+postgres"

// serve starts what outlives the children beside the parent, and returns where
// it is. Kafka's protocol is served by a kfake in this process, whose records are
// the parent's or PostgreSQL's.
func serve(backend, dir string) (stop func(), where string, err error) {
	stop = func() {}
	add := func(f func()) {
		before := stop
		stop = func() { f(); before() }
	}
	where = filepath.Join(dir, "notify.db")
	var places []string
	if strings.HasPrefix(backend, "kafka") {
		cluster, err := kfake.NewCluster(kfake.GroupMinSessionTimeout(takeover / 2))
		if err != nil {
			return nil, "", err
		}
		add(cluster.Close)
		places = append(places, strings.Join(cluster.ListenAddrs(), ","))
	}
	if strings.HasSuffix(backend, "postgres") {
		server, err := postgrestest.Start()
		if err != nil {
			stop()
			return nil, "", err
		}
		add(func() { _ = server.Stop() })
		places = append(places, server.DSN())
	}
	if len(places) > 0 {
		where = strings.Join(places, " ")
	}
	return stop, where, nil
}
