package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// refused says what to do about an error that trying again does not mend, or
// returns "".
func refused(err error) string {
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "the broker does not accept the credentials: correct Config.SASL"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "the broker does not offer that mechanism: change Config.SASL.Mechanism"
	case errors.Is(err, kerr.IllegalSaslState):
		return "the broker does not expect this authentication: compare Config.SASL with its listener"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the broker's certificate is not trusted: put its authority into Config.TLS.RootCAs"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the broker's certificate is not trusted: put its authority into Config.TLS.RootCAs"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // as crypto/tls calls an alert
		return "the broker ends the TLS handshake: give it the certificate that it wants (Config.TLS.Certificates), or a version of TLS that it speaks"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the broker does not speak TLS at that port: take another port, or leave Config.TLS out"
	}
	return ""
}

// unreachable tells whether no broker had a part in the error.
func unreachable(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return (ok || errors.Is(err, io.EOF)) && refused(err) == ""
}

// advice pairs errors of a broker with what to do about them.
var advice = []struct {
	err  error
	what string
}{
	{kerr.InvalidReplicationFactor, "the cluster has fewer brokers than Config.Replication: lower it (1 for a single broker, which then loses with its disk what it has), or add brokers"},
	{kerr.PolicyViolation, "the cluster's policy forbids such a topic: create it by other means"},
	{kerr.TopicAuthorizationFailed, "grant this user Read, Write, Create, Describe and DescribeConfigs on topics that begin with Config.Prefix"},
	{kerr.GroupAuthorizationFailed, "grant this user Read, Describe and Delete on groups that begin with Config.Prefix"},
	{kerr.ClusterAuthorizationFailed, "grant this user Create on the cluster or on topics that begin with Config.Prefix, and IdempotentWrite on a cluster older than 3.0"},
	{kerr.InvalidTopicException, "the name is not allowed, or differs from another topic's by '.' and '_' only: change it or Config.Prefix"},
	{kerr.MessageTooLarge, "the topic's max.message.bytes is smaller than the message: raise it, or lower Config.MaxBytes"},
	{kerr.NotEnoughReplicas, "too few replicas are in sync: see to the cluster's brokers"},
	{kerr.NotEnoughReplicasAfterAppend, "too few replicas are in sync: see to the cluster's brokers"},
	{kerr.UnknownTopicOrPartition, "the topic is gone: whoever uses it next creates it, and its groups have to be forgotten (Forget)"},
	{kerr.InvalidSessionTimeout, "Config.Session is outside of what the brokers allow: group.min.session.timeout.ms to group.max.session.timeout.ms"},
	{kerr.GroupMaxSizeReached, "the group has as many members as the brokers allow: start fewer processes, or raise group.max.size"},
	{kgo.ErrRecordTimeout, "the brokers did not answer within Config.PublishTimeout, and it is open whether they have the messages: try again"},
}

// explain adds what to do about an error.
func explain(err error) error {
	if err == nil {
		return nil
	}
	what := refused(err)
	if what == "" && unreachable(err) {
		what = "a broker cannot be reached: see that it runs and can be reached from here"
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			what = a.what
		}
	}
	if what == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, what)
}

// lasting tells whether an error of a member's client will not pass by itself.
func lasting(err error) bool {
	if refused(err) != "" {
		return true
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return !e.Retriable && !errors.Is(e, kerr.UnknownMemberID) && !errors.Is(e, kerr.IllegalGeneration) &&
			!errors.Is(e, kerr.RebalanceInProgress) && !errors.Is(e, kerr.FencedInstanceID) && !errors.Is(e, kerr.UnknownServerError)
	}
	return false
}
