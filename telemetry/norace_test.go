//go:build !race

package telemetry_test

const manyTenants = 100_000
