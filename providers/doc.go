// Package providers is being laid out.
package providers
