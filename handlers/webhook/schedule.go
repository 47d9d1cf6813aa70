package webhook

import (
	"net/http"
	"strconv"
	"time"
)

// jitter is by how much of itself a pause is made longer at most.
const jitter = 0.2

// defaultSchedule is that of Standard Webhooks 1.0: ten attempts in some three
// days.
func defaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// parseRetryAfter reads the header, which is a number of seconds or a date
// (RFC 9110, section 10.2.3); 0 is nothing that can be used.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// decide says what follows from an answer: a function of the claim, the answer,
// and a random number from 0 to 1.
func (c *Config) decide(claim Claim, a answer, random float64) Outcome {
	now := a.at.Add(a.took)
	o := Outcome{Slow: a.took > c.SlowAfter, Attempt: Attempt{
		EndpointID: claim.Status.ID, MessageID: claim.Message.ID, Type: claim.Message.Type, Number: claim.Number,
		At: a.at, Took: a.took, Status: a.status, Failure: a.failure,
	}}
	switch {
	case a.failure == "":
		return o
	case a.failure == FailureGone:
		o.Disable = DisabledGone
		return o
	}
	retryAfter := min(a.retryAfter, c.MaxRetryAfter)
	if retryAfter > 0 {
		o.Hold = now.Add(retryAfter)
	}
	if claim.Number <= len(c.Schedule) {
		pause := c.Schedule[claim.Number-1]
		pause += time.Duration(random * jitter * float64(pause))
		o.Next = now.Add(max(pause, retryAfter))
		o.Attempt.Next = o.Next
	}
	since := claim.Status.FailingSince
	if c.DisableAfter > 0 && !since.IsZero() && now.Sub(since) >= c.DisableAfter {
		o.Disable = DisabledFailing
	}
	return o
}
