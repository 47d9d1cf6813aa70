// Package webhook sends lifecycle events to customers' endpoints over HTTP, as
// Standard Webhooks 1.0 has it.
//
//	hooks := webhook.New(webhook.NewMemory())
//	n.Attach(hooks)
//	...
//	secret := webhook.NewSecret()
//	err := hooks.Put(ctx, webhook.Endpoint{
//	    ID: "ep_1", Tenant: "shop", URL: "https://example.com/hooks", Secrets: []webhook.Secret{secret},
//	    Types: []string{"notify.delivered.v1", "notify.bounced.v1"},
//	})
//
// [Sender.List] is of the endpoints of one tenant, or of those without one, unless
// [Query.AllTenants] is set. All that names an endpoint by its ID looks at no tenant.
//
// A receiver checks what it gets by [Verify], or by any other library of
// Standard Webhooks.
//
// # What is sent
//
// A POST of JSON with the event's type, timestamp and data, and beside them its
// id, notification_id, recipient_id, category and the labels that [Config.Labels]
// names. Only events about a notification are sent, of the endpoint's tenant and
// of the types that it names. The headers are webhook-id, which follows from the
// event's ID ([HeaderValue]) and is the same on every repeat, webhook-timestamp,
// the time of the attempt, and webhook-signature, a v1 signature by each of the
// endpoint's secrets.
//
// # How it is sent
//
// The observer's handler only stores what is to be sent, for all endpoints that
// want it at once, under the event's ID: so an event that comes again changes
// nothing, and no endpoint holds up the observer. What is stored is then taken
// from the store by workers that the Notifier starts and ends, in this process
// or in several: a delivery is leased while it is being made, and if its process
// dies, the lease's end gives it to another, [Config.CallTimeout] and 30 seconds
// after it began; until then it counts among the endpoint's calls, so that an
// endpoint may get nothing for so long after a crash, with the same process too.
// On SQLite the lease ends when the file is opened again, since nobody else has it.
// The clocks of such processes have to agree to some seconds. So a receiver has to
// expect an event twice, under the same webhook-id.
//
// One endpoint's trouble delays no other. An endpoint has up to
// [Endpoint.Concurrency] calls at once, by default 4, and only one while it is
// failing, until its first success, or if it is ordered. Endpoints that are
// failing, slow or not yet proven share one half of all calls, and the others
// the other half (see [Lane]).
//
// # When it fails
//
// An answer from 200 to 299 is a success, and everything else is not: a redirect
// is not followed. What failed is tried again by [Config.Schedule], by default
// ten times in some three days, not before what Retry-After says, which also
// holds the endpoint's other events; then it is given up: its last [Attempt] has
// no Next. An answer of 410 disables the endpoint, and so does a failure after
// [Config.DisableAfter], by default 5 days, without a success:
// [EndpointDisabled] is raised, what waits stays, and new events do not wait for
// it. [Sender.Enable] resumes sending, and [Sender.Replay] sends what was
// missed.
//
// If the store fails, the event is tried again as [notify.Observer] says, and is
// a dead letter in the end; calls stop, and are tried again;
// [notify.Notifier.Health] tells.
//
// # What it stores
//
// Endpoints with their URLs and secrets; the payloads of events that an endpoint
// wants, which hold no content and no addresses, but the host's own IDs, and what
// [Config.Data] makes; what waits for which endpoint; and of each attempt when,
// how long, the status and the kind of failure, nothing of the answer. Each store
// documents what it keeps at most, and what it drops then: see [Memory].
//
// # What it calls
//
// Endpoints' URLs come from strangers, so a call must not reach what only the
// host can: see [Network]. The address is checked when the connection is made,
// after the name was resolved, and each call makes one of its own. Of an answer
// only the headers are read, up to 16 KiB. Neither URLs nor secrets are in
// errors, logs or events.
package webhook
