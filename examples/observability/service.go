package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
)

// service stands for a provider's service.
type service struct {
	name       string
	slow       time.Duration
	failsEvery int64
	cost       notify.Cost

	calls atomic.Int64
}

func (s *service) Name() string { return s.name }

func (s *service) call() (notify.Receipt, error) {
	time.Sleep(s.slow)
	n := s.calls.Add(1)
	if s.failsEvery > 0 && n%s.failsEvery == 0 {
		return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451"}
	}
	return notify.Receipt{MessageID: s.name + "-" + strconv.FormatInt(n, 10), Cost: s.cost}, nil
}

type mail struct{ service }

func (m *mail) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return m.call()
}

type text struct{ service }

func (t *text) Send(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
	return t.call()
}
