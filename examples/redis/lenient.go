package main

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
)

// lenient makes a message of every entry of a stream. One that does not decode
// would end the subscription, and then that of everyone who claims it; as a
// message that notify does not understand it becomes a dead letter.
type lenient struct {
	redisstream.DefaultMarshallerUnmarshaller
}

// Unmarshal implements [redisstream.Unmarshaller].
func (l lenient) Unmarshal(values map[string]any) (m *message.Message, err error) {
	defer func() {
		if broken := recover(); broken != nil || err != nil {
			m, err = message.NewMessage("", fmt.Append(nil, values)), nil
		}
	}()
	return l.DefaultMarshallerUnmarshaller.Unmarshal(values)
}
