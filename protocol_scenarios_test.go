package notify

import "time"

// day is a window in which a service honours a key, longer than any run.
const day = 24 * time.Hour

func one(s *service, channel Channel, replies ...reply) *service {
	s.channel, s.replies = channel, replies
	if s.name == "" {
		s.name = string(channel)
	}
	return s
}

func plain(channel Channel, replies ...reply) *service { return one(&service{}, channel, replies...) }

func withKey(channel Channel, replies ...reply) *service {
	return one(&service{Capabilities: Capabilities{KeyWindow: day}}, channel, replies...)
}

func withReceipts(channel Channel, reports []laterReport, replies ...reply) *service {
	return one(&service{Capabilities: Capabilities{Receipts: true}, later: reports}, channel, replies...)
}

var scenarios = []scenario{
	{
		name: "first takes it", route: First(EmailChannel, SMSChannel), reports: true,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "first refuses it", route: First(EmailChannel, SMSChannel),
		services: func() []*service { return []*service{plain(EmailChannel, dislikes), plain(SMSChannel, takes)} },
	},
	{
		name: "all inside first", route: First(All(PushChannel, ChatChannel), EmailChannel),
		services: func() []*service {
			return []*service{plain(PushChannel, refuses), plain(ChatChannel, dislikes), plain(EmailChannel, takes)}
		},
	},
	{
		name: "all inside first, and one takes it", route: First(All(PushChannel, ChatChannel), EmailChannel),
		services: func() []*service {
			return []*service{plain(PushChannel, busy, takes), plain(ChatChannel, dislikes), plain(EmailChannel, takes)}
		},
	},
	{
		name: "all inside first, and what was taken bounces", route: First(All(PushChannel, ChatChannel), EmailChannel),
		services: func() []*service {
			undelivered := []laterReport{{after: 5 * time.Second, event: Undelivered{Class: ClassAddress}}}
			return []*service{withReceipts(PushChannel, undelivered, takes), plain(ChatChannel, dislikes), plain(EmailChannel, takes)}
		},
	},
	{
		name: "retry", route: First(EmailChannel, SMSChannel),
		services: func() []*service { return []*service{plain(EmailChannel, busy, busy, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "provider failover", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			return []*service{
				one(&service{name: "mail-1"}, EmailChannel, refuses), one(&service{name: "mail-2"}, EmailChannel, takes),
				plain(SMSChannel, takes),
			}
		},
	},
	{
		name: "canceled in a call", route: First(EmailChannel, SMSChannel), cancel: 700 * time.Millisecond,
		services: func() []*service { return []*service{plain(EmailChannel, busy), plain(SMSChannel, takes)} },
	},
	{
		name: "canceled between calls", route: First(EmailChannel, SMSChannel), cancel: 2 * time.Second,
		services: func() []*service { return []*service{plain(EmailChannel, busy), plain(SMSChannel, takes)} },
	},
	{
		name: "canceled in the receipt window", route: First(EmailChannel, SMSChannel), cancel: 5 * time.Second,
		services: func() []*service { return []*service{withReceipts(EmailChannel, nil, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "canceled while it waits", route: First(EmailChannel, SMSChannel), notBefore: 50 * time.Second, cancel: 10 * time.Second,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "canceled while it is repeated", route: First(EmailChannel, SMSChannel), cancel: 2 * time.Second,
		services: func() []*service {
			return []*service{withKey(EmailChannel, losesReply, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "canceled after doubt", route: First(EmailChannel, SMSChannel).OnDoubt(), cancel: 20 * time.Second,
		services: func() []*service {
			patient := one(&service{config: func(c *ProviderConfig) {
				c.Backoff = func(int) time.Duration { return 12 * time.Second }
			}}, SMSChannel, busy)
			return []*service{plain(EmailChannel, losesCall), patient}
		},
	},
	{
		name: "canceled before it is sent", route: First(EmailChannel, SMSChannel), keyed: true, canceledFirst: true,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "expires", route: First(EmailChannel, SMSChannel), expires: 4 * time.Second,
		services: func() []*service { return []*service{plain(EmailChannel, busy), plain(SMSChannel, takes)} },
	},
	{
		name: "guarded", route: First(EmailChannel, SMSChannel), guarded: true,
		services: func() []*service { return []*service{plain(EmailChannel, busy), plain(SMSChannel, takes)} },
	},
	{
		name: "first inside all", route: All(First(EmailChannel, SMSChannel), First(PushChannel, ChatChannel)),
		services: func() []*service {
			return []*service{
				withKey(EmailChannel, losesCall, takes), plain(SMSChannel, takes),
				plain(PushChannel, dislikes), plain(ChatChannel, takes),
			}
		},
	},
	{
		name: "in doubt", route: First(EmailChannel, SMSChannel),
		services: func() []*service { return []*service{plain(EmailChannel, losesReply), plain(SMSChannel, takes)} },
	},
	{
		name: "in doubt, beside another provider", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			return []*service{
				one(&service{name: "mail-1"}, EmailChannel, losesReply), one(&service{name: "mail-2"}, EmailChannel, takes),
				plain(SMSChannel, takes),
			}
		},
	},
	{
		name: "in doubt, and goes on", route: First(EmailChannel, SMSChannel).OnDoubt(), reports: true,
		services: func() []*service { return []*service{plain(EmailChannel, losesCall), plain(SMSChannel, takes)} },
	},
	{
		name: "in doubt, and sent again", route: First(EmailChannel, SMSChannel), resends: true,
		services: func() []*service {
			again := one(&service{config: func(c *ProviderConfig) { c.ResendInDoubt = true }}, EmailChannel, losesReply, dislikes)
			return []*service{again, plain(SMSChannel, takes)}
		},
	},
	{
		name: "repeated under its key", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			return []*service{withKey(EmailChannel, losesReply, busy, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "repeated, and refused", route: First(EmailChannel, SMSChannel), reports: true,
		services: func() []*service {
			return []*service{withKey(EmailChannel, losesReply, refuses), plain(SMSChannel, takes)}
		},
	},
	{
		name: "repeated, and refused for good", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			replays := one(&service{Capabilities: Capabilities{KeyWindow: day, ReplaysFailures: true}}, EmailChannel, losesCall, dislikes)
			return []*service{replays, plain(SMSChannel, takes)}
		},
	},
	{
		name: "repeated within a short window", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			forgets := one(&service{Capabilities: Capabilities{KeyWindow: 20 * time.Second}}, EmailChannel, losesReply, takes)
			return []*service{forgets, plain(SMSChannel, takes)}
		},
	},
	{
		name: "repeated, then asked", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			both := one(&service{Capabilities: Capabilities{KeyWindow: day}, canAsk: true}, EmailChannel, losesCall, losesCall, losesReply)
			return []*service{both, plain(SMSChannel, takes)}
		},
	},
	{
		name: "asked, and not found", route: First(EmailChannel, SMSChannel).OnDoubt(),
		services: func() []*service {
			return []*service{one(&service{canAsk: true}, EmailChannel, losesCall), plain(SMSChannel, takes)}
		},
	},
	{
		name: "asked", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			return []*service{one(&service{canAsk: true}, EmailChannel, losesReply), plain(SMSChannel, takes)}
		},
	},
	{
		name: "early report", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			early := []laterReport{{after: 100 * time.Millisecond, event: Delivered{}}}
			return []*service{withReceipts(EmailChannel, early, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "early bounce", route: First(EmailChannel, SMSChannel),
		services: func() []*service {
			early := []laterReport{{after: 100 * time.Millisecond, event: Bounced{Class: ClassAddress}}}
			return []*service{withReceipts(EmailChannel, early, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "early report by key, and a lost answer", route: First(EmailChannel, SMSChannel).OnDoubt(),
		services: func() []*service {
			early := []laterReport{{after: 100 * time.Millisecond, byKey: true, event: Delivered{}}}
			return []*service{withReceipts(EmailChannel, early, losesReply), plain(SMSChannel, takes)}
		},
	},
	{
		name: "bounce in the window", route: First(EmailChannel, SMSChannel), reports: true,
		services: func() []*service {
			bounce := []laterReport{{after: 5 * time.Second, event: Bounced{Class: ClassAddress}}}
			return []*service{withReceipts(EmailChannel, bounce, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "bounce while another leg is sent", route: All(EmailChannel, SMSChannel),
		services: func() []*service {
			mail := plain(EmailChannel, takes)
			mail.later = []laterReport{{after: 5 * time.Second, byKey: true, event: Bounced{Class: ClassAddress}}}
			return []*service{mail, plain(SMSChannel, busy, busy, dislikes)}
		},
	},
	{
		name: "no report in the window", route: First(EmailChannel, SMSChannel),
		services: func() []*service { return []*service{withReceipts(EmailChannel, nil, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "later", route: First(EmailChannel, SMSChannel), notBefore: 50 * time.Second,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "idempotency key", route: First(EmailChannel, SMSChannel), keyed: true,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
}
