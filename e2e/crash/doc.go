// Command crash proves what notify promises by killing it.
//
// A parent runs a program that uses notify as a child, the same binary started
// again, over and over on one backend. The child kills itself (SIGKILL) at a
// named point: before or after a record is written, a message published, a
// provider called, work acknowledged and so on, also while it recovers from the
// kill before; or the parent kills it at a random moment. The providers'
// services and the ledger of what happened live in the parent, which gives the
// child its work, keeps what was accepted, called and seen, and compares all of
// it at the end, when the last child has had the time to finish.
//
//	go run ./e2e/crash -backend sqlite -kills 1000
//	go run ./e2e/crash -backend postgres -kills 100 -pair
//	go run ./e2e/crash -backend sqlite -kills 100 -without ack-last
//
// With -pair two children share the work, and one may also be frozen (SIGSTOP) for
// longer than others wait for it. It exits with 1 if anything was lost, doubled or missed. A control (-without)
// takes one guarantee away from outside the product, and must make it exit
// with 1.
package main
