package main

import (
	"context"
	"net/rpc"
	"time"

	"github.com/seed-6c01d079/notify"
)

// caller is a child's provider of a service, which it calls in the parent.
type caller[M notify.Message] struct {
	Service
	life   int
	client *rpc.Client
	points *points
	// rename, if it is set, makes the service see another key.
	rename func(key string, call int) string
}

func (c caller[M]) Name() string { return c.Service.Name }

// Capabilities implements [notify.Capable].
func (c caller[M]) Capabilities() notify.Capabilities {
	could := notify.Capabilities{Receipts: c.Receipts}
	if c.Keyed {
		could.KeyWindow = time.Hour
	}
	return could
}

func (c caller[M]) Send(ctx context.Context, d notify.Delivery[M]) (notify.Receipt, error) {
	key := d.Key
	if c.rename != nil {
		key = c.rename(key, d.Call)
	}
	args := CallArgs{
		Life: c.life, Service: c.Service.Name, Key: key, Notification: d.NotificationID, Category: d.Category, Number: d.Call, Digest: digest(d.Message),
	}
	if until, ok := ctx.Deadline(); ok {
		args.Until = until.UnixNano()
	}
	var answer Answer
	err := c.points.at("call "+c.Service.Name, func() error { return ask(ctx, c.client, "Parent.Call", args, &answer) })
	switch {
	case err != nil:
		// On a machine that is busy the service may have answered in time.
		c.client.Go("Parent.Unheard", args, &struct{}{}, make(chan *rpc.Call, 1))
		return notify.Receipt{}, err
	case answer.Verdict != "":
		return notify.Receipt{}, &notify.SendError{Verdict: notify.Verdict(answer.Verdict), Class: notify.ClassService, Code: "503"}
	}
	return notify.Receipt{MessageID: answer.MessageID}, nil
}

// asking is a caller whose service can be asked.
type asking[M notify.Message] struct{ caller[M] }

// Ask implements [notify.Asker].
func (a asking[M]) Ask(ctx context.Context, key string) (notify.Receipt, error) {
	var took bool
	err := a.points.at("ask "+a.Service.Name, func() error {
		return ask(ctx, a.client, "Parent.Ask", CallArgs{Life: a.life, Service: a.Service.Name, Key: key}, &took)
	})
	switch {
	case err != nil:
		return notify.Receipt{}, err
	case !took:
		return notify.Receipt{}, notify.ErrNotFound
	}
	return notify.Receipt{MessageID: "m-" + key}, nil
}

// ask makes a call over a connection, for as long as ctx allows.
func ask(ctx context.Context, client *rpc.Client, method string, args, reply any) error {
	call := client.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return call.Error
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use registers a service's provider.
func use[M notify.Message](n *notify.Notifier, c caller[M]) {
	options := func(p *notify.ProviderConfig) {
		p.AttemptTimeout = callTimeout
		p.Attempts = 8
		p.BreakerFailures = -1
		p.ReceiptWindow = 3 * time.Second
		p.Backoff = func(int) time.Duration { return 30 * time.Millisecond }
	}
	if c.Asked {
		notify.Use(n, notify.Provider[M](asking[M]{c}), options)
		return
	}
	notify.Use(n, notify.Provider[M](c), options)
}
