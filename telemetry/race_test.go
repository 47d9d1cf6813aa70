//go:build race

package telemetry_test

// manyTenants is less with the race detector, which takes ten times as long.
const manyTenants = 5000
