// Package bench is being laid out.
package bench
