// Package smtp sends e-mail through an SMTP server (RFC 5321): a local relay,
// or the submission port of a mail service.
//
//	notify.Use(n, smtp.New(smtp.Config{Addr: "localhost:25", From: "shop@example.com"}))
//
// It keeps a few connections open and uses them again, reads attachments only
// while it writes them to the connection, and tells what a failed call means:
// a refusal is final only where the server said so, and a connection that broke
// once the content was on its way leaves the call uncertain.
//
// SMTP has no receipts and no idempotency keys: a mail that the server took is
// over for notify, and what bounces later comes back as a mail to Config.From.
// The Message-ID is made of the attempt's key, so every call of one attempt
// carries the same one.
package smtp
