package main

import (
	"slices"
	"strings"
)

// The points that a child may be sent to: on every backend, where records and
// backend are one, and where they are apart.
var (
	pointsAnywhere = []string{
		"publish-later", "expire", "bury", "unbury", "fix", "acknowledge route", "acknowledge deliver", "acknowledge events",
		"call", "ask", "observe", "send", "cancel", "report", "redrive", "store parked", "delete",
	}
	pointsCompacting = []string{"compact"} // of a backend that deletes by itself what is old
	pointsTogether   = []string{
		"commit accepted", "commit rendered", "commit sending", "commit sent", "commit unknown", "commit retrying", "commit failed",
		"commit delivered", "commit bounced", "commit opened", "commit canceled", "commit settled", "commit route", "commit routed", "commit", "publish dead_lettered",
	}
	pointsApart = []string{"store", "publish", "publish route", "publish deliver", "publish sending", "publish settled"}
)

// points are those of the run's control, or of its backend.
func (r *run) points() []string {
	if c, err := controlNamed(r.Without); err == nil && c.at != nil {
		return c.at
	}
	switch {
	case r.isKafka() || r.Backend == "apart":
		return slices.Concat(pointsAnywhere, pointsApart)
	case r.Backend == "sqlite" || r.Backend == "postgres":
		return slices.Concat(pointsAnywhere, pointsTogether, pointsCompacting)
	}
	return slices.Concat(pointsAnywhere, pointsTogether)
}

// atRandom is the point of a child that the parent kills.
const atRandom = "a random moment"

func (r *run) isKafka() bool { return strings.HasPrefix(r.Backend, "kafka") }

// fate picks a point that few children died at so far, or none. When there were
// kills enough, it is one that is missing.
func (s *slot) fate(recovery bool) Fate {
	if s.chance.IntN(8) == 0 {
		return Fate{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var best []Fate
	least := -1
	for _, point := range s.points() {
		for _, after := range []bool{false, true} {
			name := pointText(point, after, recovery)
			weight := s.kills[name] + 2*s.missed[name]
			if s.total >= s.Settings.Kills && slices.Contains(s.Points, name) && s.unseen(name) {
				weight = 0
			}
			if least < 0 || weight < least {
				best, least = nil, weight
			}
			if weight == least {
				best = append(best, Fate{Point: point, After: after, Nth: 1 + s.chance.IntN(3)})
			}
		}
	}
	return best[s.chance.IntN(len(best))]
}

// pointText names a point in the table of kills.
func pointText(point string, after, recovery bool) string {
	text := "before " + point
	if after {
		text = "after " + point
	}
	if recovery {
		text += ", in recovery"
	}
	return text
}
