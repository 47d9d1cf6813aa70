package e2e_test

import (
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/forward"
)

// theirTopics are another team's, whose server is down now and then. Unsafe, the
// publisher says that it has published nonetheless.
type theirTopics struct {
	trouble *trouble
	unsafe  bool

	mu   sync.Mutex
	came map[string][]*message.Message
}

func (t *theirTopics) Publish(topic string, messages ...*message.Message) error {
	err := t.trouble.write(func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.came[topic] = append(t.came[topic], messages...)
		return nil
	})
	if t.unsafe {
		return nil
	}
	return err
}

func (t *theirTopics) Close() error { return nil }

// forwardSubject: the topic has the chosen events and no others, in order for each
// notification.
func forwardSubject(t *trial, unsafe bool) subject {
	topics := &theirTopics{trouble: t.trouble, unsafe: unsafe, came: map[string][]*message.Message{}}
	events := []any{
		notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{}, notify.Delivered{}, notify.Bounced{}, notify.Settled{},
	}
	chosen := map[string]bool{}
	for _, name := range []string{"accepted", "routed", "rendered", "sending", "sent", "delivered", "bounced", "settled"} {
		chosen["notify."+name+".v1"] = true
	}
	return subject{
		observers: []string{"forward"},
		attach: func(p *process) {
			p.Attach(forward.New(topics, "deliveries", func(c *forward.Config) {
				c.Events = events
				t.trouble.observe(&c.Observer)
			}))
		},
		check: func(_ *process, known truth) (wrong []string) {
			topics.mu.Lock()
			defer topics.mu.Unlock()
			want, came, got := map[string]bool{}, map[string][]string{}, map[string]bool{}
			for _, e := range known.all() {
				want[e.ID] = chosen[e.Type]
			}
			for topic, messages := range topics.came {
				for _, m := range messages {
					id, about := m.Metadata["ce_id"], m.Metadata["ce_subject"]
					if topic != "deliveries" || !want[id] {
						wrong = append(wrong, fmt.Sprintf("%s (%s) in %s", id, m.Metadata["ce_type"], topic))
					}
					got[id], came[about] = true, append(came[about], id)
				}
			}
			for id, is := range want {
				if is && !got[id] {
					wrong = append(wrong, "without "+id)
				}
			}
			for _, one := range known.sent {
				if problem := known.disorder(one.id, came[one.id]); problem != "" {
					wrong = append(wrong, one.fate+": "+problem)
				}
			}
			return wrong
		},
	}
}
