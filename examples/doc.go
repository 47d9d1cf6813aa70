// Package examples is being laid out.
package examples
