// Turns single probe results into "healthy" or "unhealthy": pure counting of results in a row. Asking the cell is left to
// `health_checker.go`.

package main

// HealthState counts what speaks against it; the other kind of result starts the count again. Its zero value is healthy: a cell
// that was never probed counts as healthy, otherwise a router that just started would refuse every request until the first
// probes are back.
type HealthState struct {
	IsUnhealthy bool
	// Failures in a row of a healthy cell, successes in a row of an unhealthy one.
	Against int
}

// Kind is the state's name, for people.
func (s HealthState) Kind() string {
	if s.IsUnhealthy {
		return "unhealthy"
	}
	return "healthy"
}

// #region rise-and-fall

// Next is the state after one more probe. One lost probe proves nothing, and neither does one response from a cell that is just
// starting: `fall` failures in a row make a cell unhealthy, `rise` successes in a row healthy again.
func (s HealthState) Next(probeSucceeded bool, rise, fall int) HealthState {
	limit := fall
	if s.IsUnhealthy {
		limit = rise
	}
	if probeSucceeded != s.IsUnhealthy {
		return HealthState{IsUnhealthy: s.IsUnhealthy}
	}
	if s.Against++; s.Against >= limit {
		return HealthState{IsUnhealthy: !s.IsUnhealthy}
	}
	return s
}

// #endregion rise-and-fall
