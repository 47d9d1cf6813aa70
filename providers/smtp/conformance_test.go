package smtp_test

import (
	"testing"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// TestConformance is not parallel, because the suite counts goroutines.
func TestConformance(t *testing.T) {
	faulty := func(do script) func(testing.TB) notify.Provider[notify.Email] {
		return func(t testing.TB) notify.Provider[notify.Email] {
			return smtp.New(smtp.Config{Addr: follow(t, do).addr, From: "Shop <shop@example.com>"})
		}
	}
	notifytest.TestProvider(t, notifytest.ProviderHarness[notify.Email]{
		New: func(t testing.TB) notify.Provider[notify.Email] {
			s := serve(t, serverOptions{auth: true, tls: true})
			return smtp.New(smtp.Config{
				Addr: s.addr, From: "Shop <shop@example.com>", Username: user, Password: password, TLSConfig: trust(s),
			})
		},
		Message: func() notify.Email {
			return notify.Email{
				To: "ada@example.com", ToName: "Ada Lovelace", Subject: "Your code", Text: "It is 7788.",
				Attachments: []notify.Attachment{{Name: "a.txt", Data: []byte("attached")}},
			}
		},
		Faulty: map[notifytest.Fault]func(testing.TB) notify.Provider[notify.Email]{
			notifytest.FaultUnreachable: func(testing.TB) notify.Provider[notify.Email] {
				return smtp.New(smtp.Config{Addr: "127.0.0.1:1", From: "shop@example.com"}) // a port that nobody is given
			},
			notifytest.FaultTemporary: faulty(script{replies: map[string]string{"RCPT": "451 4.3.0 <ada@example.com> not now"}}),
			notifytest.FaultPermanent: faulty(script{replies: map[string]string{"RCPT": "550 5.1.1 <ada@example.com> unknown"}}),
			notifytest.FaultCut:       faulty(script{cut: "answer"}),
			notifytest.FaultHang:      faulty(script{hang: "answer"}),
		},
		Canaries: []string{password, "ada@", "Lovelace", "Your code", "7788", "attached"},
	})
}
