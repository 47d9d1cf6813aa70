// Package durable measures the backends that keep what they are given in a
// database, beside the same rows inserted with one transaction for each call.
package durable
