package notify

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

type dispatched struct {
	Parcel string `json:"parcel"`
}

func TestRegister(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	own := reflect.TypeFor[dispatched]()
	for name, tc := range map[string]struct {
		eventType reflect.Type
		wireName  string
		problem   string
	}{
		"no type":        {nil, "shop.dispatched.v1", "must be a struct type"},
		"pointer":        {reflect.TypeFor[*dispatched](), "shop.dispatched.v1", "must be a struct type"},
		"no struct":      {reflect.TypeFor[Raw](), "shop.dispatched.v1", "must be a struct type"},
		"no name":        {reflect.TypeFor[struct{}](), "shop.dispatched.v1", "must be a struct type"},
		"ours":           {reflect.TypeFor[Sent](), "shop.sent.v1", "is registered already, as notify.sent.v1"},
		"our prefix":     {own, "notify.dispatched.v1", `must not begin with "notify."`},
		"no wire name":   {own, "", "is missing"},
		"upper case":     {own, "shop.Shipped.v1", "must be words"},
		"space":          {own, "shop dispatched", "must be words"},
		"empty word":     {own, "shop..dispatched", "must be words"},
		"trailing dot":   {own, "shop.", "must be words"},
		"begins with it": {own, "1shop", "must begin with a letter"},
		"long":           {own, strings.Repeat("a", maxWireNameBytes+1), "is over 128 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, c.register(tc.eventType, tc.wireName), tc.problem)
		})
	}
}

func TestRegisteredEventTravels(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	require.NoError(t, c.register(reflect.TypeFor[dispatched](), "shop.order-shipped_2.v1"))
	require.ErrorContains(t, c.register(reflect.TypeFor[dispatched](), "shop.other"), "is registered already, as shop.order-shipped_2.v1")
	require.ErrorContains(t, c.register(reflect.TypeFor[golden](), "shop.order-shipped_2.v1"), "is taken by notify.dispatched")

	m, err := c.encode(newFact(c, Envelope{ID: "e1"}, dispatched{"A-1017"}))
	require.NoError(t, err)
	require.Equal(t, "shop.order-shipped_2.v1", m.Metadata[attrType])
	decoded, err := c.decode(m)
	require.NoError(t, err)
	require.Equal(t, dispatched{"A-1017"}, decoded.data())

	decoded, err = newCodec("/other").decode(m)
	require.NoError(t, err)
	require.Equal(t, Raw(`{"parcel":"A-1017"}`), decoded.data())
}

func TestCodecIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	f := sampleFact(t, c, samples()[5])
	hosts := []reflect.Type{
		reflect.TypeFor[dispatched](), reflect.TypeFor[golden](), reflect.TypeFor[problems](), reflect.TypeFor[codec](),
	}
	var group sync.WaitGroup
	for i, host := range hosts {
		group.Go(func() { _ = c.register(host, fmt.Sprintf("shop.e%d", i)) })
		group.Go(func() {
			m, err := c.encode(f)
			if err == nil {
				_, err = c.decode(m)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, "shop.e0", c.kindOf(reflect.TypeFor[dispatched]()).name)
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	require.Equal(t, "notify.failed_over.v1", c.kindOf(reflect.TypeFor[FailedOver]()).name)
	for _, data := range []any{nil, Raw("{}"), &Sent{}, "text"} {
		require.Nil(t, c.kindOf(reflect.TypeOf(data)))
	}
}
