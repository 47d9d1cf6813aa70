// Package e2e is being laid out.
package e2e
