// Package kafka measures the Kafka backend beside watermill-kafka and a bare
// client, each in the same jobs on a cluster in the same process.
package kafka
