package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL is how to authenticate. No error and no log has what is in it, but for
// the mechanism.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; empty
	// does not authenticate. PLAIN and OAUTHBEARER send the secret itself, so
	// they want [Config.TLS] too.
	Mechanism string
	// User and Password are those of PLAIN and SCRAM.
	User, Password string
	// Token returns the token of OAUTHBEARER. It is called for every connection
	// and when a token has to be renewed, concurrently.
	Token func(ctx context.Context) (string, error)
}

var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}

func (s *SASL) check() []error {
	var problems []error
	switch {
	case s.Mechanism == "" && (s.User != "" || s.Password != "" || s.Token != nil):
		problems = append(problems, fmt.Errorf("Config.SASL.Mechanism is empty: use one of %v", mechanisms))
	case s.Mechanism == "":
	case !slices.Contains(mechanisms, s.Mechanism):
		problems = append(problems, fmt.Errorf("Config.SASL.Mechanism is %q: use one of %v", s.Mechanism, mechanisms))
	case s.Mechanism == "OAUTHBEARER" && s.Token == nil:
		problems = append(problems, errors.New("Config.SASL.Token is nil: OAUTHBEARER needs it"))
	case s.Mechanism != "OAUTHBEARER" && (s.User == "" || s.Password == ""):
		problems = append(problems, fmt.Errorf("Config.SASL.User or Password is empty: %s needs both", s.Mechanism))
	}
	return problems
}

// mechanism returns nil if there is nothing to authenticate with.
func (s *SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()
	case "OAUTHBEARER":
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			if err != nil {
				return oauth.Auth{}, fmt.Errorf("Config.SASL.Token: %w", err)
			}
			return oauth.Auth{Token: token}, nil
		})
	}
	return nil
}
