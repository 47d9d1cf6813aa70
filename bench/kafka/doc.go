// Package kafka measures the Kafka backend beside watermill-kafka and a bare
// client, each in the same jobs on a cluster in the same process.
//
// # An equal footing
//
// Every side gets a topic of its own, with the same settings and its partitions'
// leaders spread over the brokers as a real cluster spreads them, so that a call
// that publishes to all partitions is a request to every broker. Every side waits
// until all replicas in sync have what it published, and gets the very same
// messages with the same keys and metadata. Sides take short turns, every other
// time in the other order. Beyond that each is as it comes: ours and the bare
// client write idempotently and compress with snappy, watermill-kafka does
// neither; and a call of watermill-kafka's Publish is a request for each message,
// one after the other, which is what the batches show.
//
// The cluster runs on the same processors, and its work counts for every side
// alike. In profiles of publishing batches it is about a quarter of what our side
// takes and a third of what watermill-kafka takes: without it, the ratio would be
// about a tenth lower.
package kafka
