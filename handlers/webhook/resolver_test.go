package webhook_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
)

// resolver is a DNS server in memory, whose addresses may change.
type resolver struct {
	mu        sync.Mutex
	addresses []netip.Addr
	asked     int
	serving   sync.WaitGroup
}

func (r *resolver) set(addresses ...netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addresses = addresses
}

// resolver returns what asks it, for any name.
func (r *resolver) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		r.serving.Go(func() {
			defer there.Close()
			for r.answer(there) == nil {
			}
		})
		return here, nil
	}}
}

// answer answers one question (RFC 1035, in the framing of TCP).
func (r *resolver) answer(c net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, question); err != nil {
		return err
	}
	end := 12 // of the name
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	reply := append([]byte{question[0], question[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end+5]...)
	r.mu.Lock()
	r.asked++
	addresses := r.addresses
	r.mu.Unlock()
	for _, a := range addresses {
		if (kind == 1) == a.Is4() && (kind == 1 || kind == 28) {
			reply[7]++
			reply = append(reply, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8))
			reply = append(reply, a.AsSlice()...)
		}
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}
