//go:build race

package kafka_test

const raced = true
