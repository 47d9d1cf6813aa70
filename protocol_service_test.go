package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// reply is what a service does with a call.
type reply struct {
	effect bool // the message reaches the recipient, unless its key is known
	err    *SendError
}

func failure(v Verdict) *SendError { return &SendError{Verdict: v, Class: ClassService, Code: "503"} }

var (
	takes      = reply{effect: true}
	losesReply = reply{effect: true, err: failure(VerdictUncertain)}  // the answer is lost
	losesCall  = reply{effect: false, err: failure(VerdictUncertain)} // the call is lost
	busy       = reply{err: failure(VerdictTemporary)}
	refuses    = reply{err: &SendError{Verdict: VerdictPermanent, Class: ClassService, Code: "400"}}
	dislikes   = reply{err: &SendError{Verdict: VerdictPermanent, Class: ClassPolicy, Code: "550"}}
)

// service is what a provider stands for. It outlives the processes.
type service struct {
	name    string
	channel Channel
	Capabilities
	canAsk bool
	config func(*ProviderConfig)
	// replies are those to its calls, the last one for all that follow.
	replies []reply
	// later, if set, is what it reports once a message has had its effect.
	later []laterReport
}

// laterReport is a report some time after an effect.
type laterReport struct {
	after time.Duration
	byKey bool
	event any
}

// called is a call that reached a service.
type called struct {
	service      *service
	key          string
	leg          int
	ordinal      int
	call         int
	at           time.Time
	effect       bool
	notification string
	// late says that its process froze between its look at the lease and the
	// call; outlived that its key's window was over then, and an earlier call
	// had its effect: that cannot be prevented.
	late, outlived bool
}

// services are all of them, as the world knows them.
type services struct {
	world *world

	mu       sync.Mutex
	calls    []called
	answered map[string]bool // calls whose answer reached the caller, by key and number
}

func callName(key string, number int) string { return fmt.Sprintf("%s#%d", key, number) }

// took tells whether a message under that key had its effect.
func (s *services) took(service *service, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.calls, func(c called) bool { return c.service == service && c.key == key && c.effect })
}

// honours tells whether a service still knows a key from a call that had its
// effect.
func (s *services) honours(service *service, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := slices.IndexFunc(s.calls, func(c called) bool { return c.service == service && c.key == key && c.effect })
	return first >= 0 && time.Since(s.calls[first].at) < service.KeyWindow
}

// receive is the call's arrival at the service.
func (s *services) receive(service *service, c called) reply {
	known := s.honours(service, c.key)
	c.outlived = c.late && !known && s.took(service, c.key)
	s.mu.Lock()
	n := 0
	for i := range s.calls {
		if s.calls[i].service == service {
			n++
		}
	}
	r := service.replies[min(n, len(service.replies)-1)]
	c.service, c.at, c.effect = service, time.Now(), r.effect && !known
	earlier := slices.Clone(s.calls)
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	s.world.trace("%s is called for %s#%d: effect %v, error %v", service.name, c.key, c.call, c.effect, r.err)
	s.world.checkCall(c, earlier)
	if c.effect {
		for _, l := range service.later {
			s.world.hosts.Go(func() { s.world.reportLater(service, c.key, l) })
		}
	}
	return r
}

// fake is a process's provider of a service.
type fake[M Message] struct {
	*service
	process *process
}

func (f fake[M]) Name() string { return f.name }

func (f fake[M]) Capabilities() Capabilities { return f.service.Capabilities }

// callTime is how long a call is on its way, and its answer again.
const callTime = 500 * time.Millisecond

func (f fake[M]) Send(_ context.Context, d Delivery[M]) (Receipt, error) {
	began := time.Now()
	time.Sleep(callTime)
	var r reply
	err := f.process.move("call "+f.name, func() error {
		_, leg, ordinal, _ := parseAttemptKey(d.Key)
		r = f.process.world.services.receive(f.service, called{
			key: d.Key, leg: leg, ordinal: ordinal, call: d.Call, notification: d.NotificationID,
			late: time.Since(began) > callTime,
		})
		return nil
	})
	time.Sleep(callTime)
	if gone := f.process.alive(); gone != nil {
		return Receipt{}, gone
	}
	s := f.process.world.services
	s.mu.Lock()
	s.answered[callName(d.Key, d.Call)] = true
	s.mu.Unlock()
	if err != nil {
		return Receipt{}, err
	}
	if r.err != nil {
		return Receipt{}, r.err
	}
	return Receipt{MessageID: messageID(d.Key)}, nil
}

func messageID(key string) string { return "m-" + key }

// asked is a fake whose service can be asked.
type askedFake[M Message] struct{ fake[M] }

func (f askedFake[M]) Ask(_ context.Context, key string) (Receipt, error) {
	took := false
	err := f.process.move("ask "+f.name, func() error {
		took = f.process.world.services.took(f.service, key)
		return nil
	})
	switch {
	case err != nil:
		return Receipt{}, err
	case took:
		return Receipt{MessageID: messageID(key)}, nil
	default:
		return Receipt{}, ErrNotFound
	}
}

// use gives a Notifier its provider of the service.
func (s *service) use(n *Notifier, p *process) {
	switch s.channel {
	case EmailChannel:
		useFake[Email](n, s, p)
	case SMSChannel:
		useFake[SMS](n, s, p)
	case PushChannel:
		useFake[Push](n, s, p)
	default:
		useFake[Chat](n, s, p)
	}
}

func useFake[M Message](n *Notifier, s *service, p *process) {
	options := func(c *ProviderConfig) {
		c.AttemptTimeout = 5 * time.Second
		c.Attempts = 3
		c.BreakerFailures = -1
		c.ReceiptWindow = 20 * time.Second
		c.Backoff = func(int) time.Duration { return 2 * time.Second }
		if s.config != nil {
			s.config(c)
		}
	}
	f := fake[M]{service: s, process: p}
	if s.canAsk {
		Use(n, Provider[M](askedFake[M]{f}), options)
		return
	}
	Use(n, Provider[M](f), options)
}
