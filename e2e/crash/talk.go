package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"
)

// What parent and child say to each other: the orders in the child's
// environment, and calls of the service "Parent" over a unix socket.

// ordersEnv holds a child's orders, as JSON. Its presence makes this program a
// child.
const ordersEnv = "NOTIFY_CRASH_CHILD"

// Orders are what a child is started with.
type Orders struct {
	Socket  string
	Life    int
	Backend string
	Where   string // the backend's file or address
	Fate    Fate
	Without string // the control
	Echo    bool   // deliver work twice at once, as to two processes
	Workers int    // tasks at a time
	// Settle is how long it waits, once it runs, before it asks for tasks and its
	// fate counts.
	Settle time.Duration
}

// Fate is where a child kills itself: at the Nth time that it comes to a point.
// A zero Fate leaves that to the parent.
type Fate struct {
	Point string // the point's name or its first words
	After bool   // after the move had its effect, else before
	Nth   int
}

// ordersOf returns the orders of this process, if it is a child.
func ordersOf() (Orders, bool) {
	var o Orders
	text, ok := os.LookupEnv(ordersEnv)
	if ok {
		ok = json.Unmarshal([]byte(text), &o) == nil
	}
	return o, ok
}

// TaskKind is what a child is asked to do as the host.
type TaskKind string

// The kinds of task.
const (
	TaskSend    TaskKind = "send"
	TaskCancel  TaskKind = "cancel"
	TaskReport  TaskKind = "report"
	TaskRedrive TaskKind = "redrive"
	TaskFollow  TaskKind = "follow" // tell the status and the history
)

// Task is one thing that a child is to do as the host.
type Task struct {
	Number int
	Kind   TaskKind
	Spec   Spec   // to send
	ID     string // to cancel or follow
	Report Word   // to report
}

// Word is what a service says later about a message.
type Word struct {
	Key, Service, MessageID string // by key, or by the other two
	Event                   string // delivered, bounced or opened
	At                      time.Time
}

// Result is what came of a task.
type Result struct {
	Life   int
	Number int
	Err    string
	ID     string   // of what was sent
	Answer string   // to a cancel or a report
	State  string   // of what is followed; empty: it has not settled
	Events []string // its history: the IDs of its events in order
}

// CallArgs is a call of a provider.
type CallArgs struct {
	Life         int
	Service      string
	Key          string
	Notification string
	Category     string // names the spec
	Number       int
	Until        int64  // when its caller gives it up: Unix time in nanoseconds
	Digest       string // of the message
}

// Answer is a service's answer.
type Answer struct {
	Verdict   string // empty: it took the message
	MessageID string
}

// Seen is an event that an observer is given.
type Seen struct {
	Life         int
	Observer     string
	Event        string // its ID
	Type         string
	Notification string
	Category     string
	Leg, Attempt int
	Time         time.Time
	Digest       string // of its data
}

// digest is short for a value.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// Reaction is what the observer does with it.
type Reaction string

// The reactions.
const (
	Takes   Reaction = ""
	Fails   Reaction = "fails"
	Refuses Reaction = "refuses" // it becomes a dead letter
)
