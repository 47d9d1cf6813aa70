package notify

import (
	"encoding/json"
	"strconv"
	"time"
)

// object writes a JSON object, member by member, as encoding/json would.
// Members that are empty are left out, unless they always have to be there.
type object struct {
	data []byte
	err  error // the first
}

func (o *object) name(name string) {
	if o.data[len(o.data)-1] != '{' {
		o.data = append(o.data, ',')
	}
	o.data = append(appendString(o.data, name), ':')
}

func (o *object) text(name, value string, always bool) {
	if always || value != "" {
		o.name(name)
		o.data = appendString(o.data, value)
	}
}

func (o *object) number(name string, value int64, always bool) {
	if always || value != 0 {
		o.name(name)
		o.data = strconv.AppendInt(o.data, value, 10)
	}
}

func (o *object) flag(name string, value bool) {
	if value {
		o.name(name)
		o.data = append(o.data, "true"...)
	}
}

func (o *object) time(name string, value time.Time) {
	if value.IsZero() {
		return
	}
	o.name(name)
	data, err := value.AppendText(append(o.data, '"'))
	if o.failed(err) {
		return
	}
	o.data = append(data, '"')
}

// value writes anything that is there.
func (o *object) value(name string, value any, there bool) {
	if !there || o.err != nil {
		return
	}
	data, err := json.Marshal(value)
	if o.failed(err) {
		return
	}
	o.name(name)
	o.data = append(o.data, data...)
}

func (o *object) failed(err error) bool {
	if o.err == nil {
		o.err = err
	}
	return err != nil
}
