// Chooses the placement that serves when the one that was routed to cannot: only along the chain that the table names, never
// into a tenant's own cell. Whether a placement can take a request is asked of the caller.

package main

import "time"

// FailoverReason says why a request is served elsewhere; sent to the client as `X-Failover-Reason`.
type FailoverReason string

const (
	reasonUnhealthy     FailoverReason = "unhealthy"
	reasonCircuitOpen   FailoverReason = "circuit-open"
	reasonConnectFailed FailoverReason = "connect-failed"
	// No reason to go elsewhere: a flood must not move on.
	reasonOverloaded FailoverReason = "overloaded"
)

// Refusal says why a placement does not take a request; RetryAfter when it may take one again, 0 where that is not known.
type Refusal struct {
	Reason     FailoverReason
	RetryAfter time.Duration
}

// TargetChoice is who serves.
type TargetChoice struct {
	// Nil: nobody takes it.
	Target *Placement
	// Why the primary does not take it; empty when it does.
	Reason FailoverReason
	// With no target: the shortest time that any placement named, or 0.
	RetryAfter time.Duration
}

// #region choose-target

// chooseTarget asks the primary, then its chain, until one takes the request.
//
// admit is called at most once for each placement, and not again after it has taken the request: it may take permits. Every
// placement is asked in the same way, so a fallback cannot bypass its own limit or breaker. It returns nil when the
// placement takes the request.
//
// An overloaded primary does not fail over: its flood would go on to its neighbours, which is what the limit prevents.
func chooseTarget(table *RoutingTable, primary *Placement, admit func(*Placement) *Refusal) TargetChoice {
	refusal := admit(primary)
	if refusal == nil {
		return TargetChoice{Target: primary}
	}
	choice := TargetChoice{Reason: refusal.Reason, RetryAfter: refusal.RetryAfter}
	if refusal.Reason == reasonOverloaded {
		return choice
	}
	for _, target := range fallbackChain(table.Placements, primary) {
		refused := admit(target)
		if refused == nil {
			choice.Target = target
			return choice
		}
		choice.RetryAfter = shorter(choice.RetryAfter, refused.RetryAfter)
	}
	return choice
}

// #endregion choose-target

// #region fallback-chain

// fallbackChain lists the placements that may serve in primary's stead: first all that it names itself, in its order, then all
// that those name, and so on; each once. It ends in a table with loops, too, and leaves out every dedicated cell: that is
// some other tenant's (invariant 5), even if a table that nobody validated names it.
func fallbackChain(placements map[string]*Placement, primary *Placement) []*Placement {
	if len(primary.Fallback) == 0 {
		return nil
	}
	seen := map[string]bool{primary.Name: true}
	chain := []*Placement{primary}
	// The list grows while it is read: those that came last name theirs in their turn.
	for at := 0; at < len(chain); at++ {
		for _, name := range chain[at].Fallback {
			fallback, ok := placements[name]
			if ok && fallback.Kind != dedicated && !seen[name] {
				seen[name] = true
				chain = append(chain, fallback)
			}
		}
	}
	return chain[1:]
}

// #endregion fallback-chain

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
