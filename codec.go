package notify

import (
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
)

// codec turns facts into CloudEvents and back.
type codec struct{}

func (c *codec) encode(f *fact) (*message.Message, error) { return nil, errors.ErrUnsupported }
