package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// rendered is a leg's message, as the record keeps it until the leg has ended.
type rendered struct {
	Message  Message         `json:"-"`
	Raw      json.RawMessage `json:"message"` // of a record that was loaded
	Template string          `json:"template,omitempty"`
	Locale   string          `json:"locale,omitempty"`
	Bytes    int             `json:"bytes"`
}

// MarshalJSON implements [json.Marshaler].
func (r *rendered) MarshalJSON() ([]byte, error) {
	type plain rendered // without this method
	stored := plain(*r)
	if stored.Raw == nil {
		raw, err := json.Marshal(r.Message)
		if err != nil {
			return nil, err
		}
		stored.Raw = raw
	}
	return json.Marshal(stored)
}

// decoded returns the message, which a record that was loaded has as JSON.
func (r *rendered) decoded(decode func(json.RawMessage) (Message, error)) (Message, error) {
	if r.Message != nil {
		return r.Message, nil
	}
	m, err := decode(r.Raw)
	if err != nil {
		return nil, fmt.Errorf("notify: decode a rendered message: %w", err)
	}
	return m, nil
}

// renderers make the messages: those that the host registered, and the default
// ones.
type renderers struct {
	templates *templates
	custom    map[Channel]func(context.Context, RenderRequest) (Message, error)
	forms     map[Channel]reflect.Type // what is made for each channel
}

func newRenderers(t *templates) *renderers {
	return &renderers{
		templates: t, custom: map[Channel]func(context.Context, RenderRequest) (Message, error){},
		forms: map[Channel]reflect.Type{
			EmailChannel: reflect.TypeFor[Email](), SMSChannel: reflect.TypeFor[SMS](),
			PushChannel: reflect.TypeFor[Push](), ChatChannel: reflect.TypeFor[Chat](),
		},
	}
}

// Render registers how the messages of M's channel are made, instead of the
// default (see [Config.Templates]), which a message of the host's own does not
// have: without it, Run refuses the provider. An error ends the leg as unrenderable. The function is called by many
// goroutines at once. Call it before Run.
func Render[M Message](n *Notifier, fn func(ctx context.Context, req RenderRequest) (M, error)) {
	field := fmt.Sprintf("Render[%T]", *new(M))
	channel, ok := channelOf[M]()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.refuseLocked(field):
	case !ok || !validChannelName(channel):
		n.problemLocked(field, "Channel() of the zero value must return 1 to 32 characters of a-z, 0-9, '-' and '_'")
	case fn == nil:
		n.problemLocked(field, "the function is nil")
	case n.pipeline.render.custom[channel] != nil:
		n.problemLocked(field, "there is a renderer of the channel")
	default:
		n.validation.hostTemplates = true
		n.planner.custom = withEntry(n.planner.custom, channel, true)
		made := func(ctx context.Context, req RenderRequest) (Message, error) { return fn(ctx, req) }
		r := n.pipeline.render
		n.pipeline.render = &renderers{
			templates: r.templates, custom: withEntry(r.custom, channel, made), forms: withEntry(r.forms, channel, reflect.TypeFor[M]()),
		}
	}
}

// misfit says what is wrong if a provider of the channel takes another form
// than is made for it, and is empty otherwise.
func (r *renderers) misfit(c Channel, form reflect.Type) string {
	switch made := r.forms[c]; made {
	case form:
		return ""
	case nil:
		return fmt.Sprintf("nothing makes a %s, for the channel %s: register what does with notify.Render", form, c)
	default:
		return fmt.Sprintf("takes a %s, but what is made for the channel %s is a %s: register what makes the former with notify.Render", form, c, made)
	}
}

// message makes the message of a leg.
func (r *renderers) message(ctx context.Context, of *record, leg int) (made *rendered, err error) {
	defer func() {
		if p := recover(); p != nil {
			made, err = nil, fmt.Errorf("notify: render: %w", panicError(p))
		}
	}()
	if of.Request == nil || of.Recipient == nil {
		return nil, fmt.Errorf("notify: render: the request is gone")
	}
	channel := of.leg(leg).Channel
	req := RenderRequest{
		NotificationID: of.ID, Channel: channel, Address: of.Recipient.Addresses[channel], Recipient: *of.Recipient,
		Content: of.Request.Content, Template: of.Request.Template, Data: of.Request.Data,
		Tenant: of.Tenant, Category: of.Category, Labels: of.Labels,
	}
	made = &rendered{Template: req.Template}
	if custom := r.custom[channel]; custom != nil {
		if made.Message, err = custom(ctx, req); err != nil {
			return nil, fmt.Errorf("notify: render: %w", err)
		}
		err = validateMessage(made.Message)
	} else {
		made.Message, made.Locale, err = renderDefault(req, r.templates)
	}
	if err != nil {
		return nil, err
	}
	made.Bytes, err = messageSize(made.Message)
	return made, err
}

// messageSize is roughly the size of a message's content.
func messageSize(m Message) (int, error) {
	switch m := m.(type) {
	case Email:
		size := len(m.Subject) + len(m.Text) + len(m.HTML)
		for _, a := range m.Attachments {
			size += len(a.Data)
		}
		return size, nil
	case SMS:
		return len(m.Text), nil
	case Push:
		return len(m.Title) + len(m.Body) + len(m.URL), nil
	case Chat:
		return len(m.Title) + len(m.Text) + len(m.URL), nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("notify: render: a %s cannot be stored: %w", reflect.TypeOf(m), err)
	}
	return len(data), nil
}
