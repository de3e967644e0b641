// Probes every placement that has health settings, in a loop of its own and never in the request path: a request only reads the
// last result. How a probe is sent is an argument; what results mean is left to `health_state.go`.

package main

import (
	"context"
	"sync"
	"time"
)

// Probe tells whether the cell answered url well. An error is a failed probe. ctx ends when time is up.
type Probe func(ctx context.Context, url string) (bool, error)

// HealthChecker runs the loops. Its fields are set before the first table.
type HealthChecker struct {
	probe Probe
	// In [0, 1).
	random func() float64
	// Called when a placement changes between healthy and unhealthy, not for each probe.
	onTransition func(placement string, to, from HealthState)
	// Told what onTransition panicked with: checks go on, whatever happens to those who listen.
	onFault func(fault any)

	mu sync.RWMutex
	// By placement, not by URL: two placements may share an endpoint and check it differently.
	targets map[string]*healthTarget
	loops   sync.WaitGroup
	isOver  bool
}

type healthTarget struct {
	name, url string
	settings  HealthSettings
	state     HealthState
	stop      context.CancelFunc
}

const (
	// A probe's time is counted in steps of this length.
	probeStep = 250 * time.Millisecond
	// A step that takes this much longer does not count: this process stood still, and has not read what came meanwhile.
	standstill = 250 * time.Millisecond
)

// #region health-checker

// IsHealthy is the last known state; true for a placement that is new, unknown or not checked. One look-up in memory.
func (h *HealthChecker) IsHealthy(placement string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	target, ok := h.targets[placement]
	return !ok || !target.state.IsUnhealthy
}

// Update follows a new table. An unchanged placement keeps its loop and its counts; one whose settings changed at the same URL
// keeps its state, since the push did not repair the cell; a new URL starts as healthy.
func (h *HealthChecker) Update(placements []*Placement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := map[string]*healthTarget{}
	for _, placement := range placements {
		if placement.Health == nil || h.isOver {
			continue
		}
		known := h.targets[placement.Name]
		if known != nil && known.url == placement.URL && known.settings == *placement.Health {
			next[placement.Name] = known
			continue
		}
		target := &healthTarget{name: placement.Name, url: placement.URL, settings: *placement.Health}
		if known != nil && known.url == placement.URL {
			target.state = known.state
		}
		next[placement.Name] = target
		ctx, cancel := context.WithCancel(context.Background())
		target.stop = cancel
		h.loops.Go(func() { h.run(ctx, target) })
	}
	for name, old := range h.targets {
		if next[name] != old {
			old.stop()
		}
	}
	h.targets = next
}

// Close stops all loops and returns when the last one has ended.
func (h *HealthChecker) Close() {
	h.mu.Lock()
	h.isOver = true
	for _, target := range h.targets {
		target.stop()
	}
	h.mu.Unlock()
	h.loops.Wait()
}

func (h *HealthChecker) run(ctx context.Context, target *healthTarget) {
	interval := milliseconds(target.settings.IntervalMs)
	// One push reaches the whole fleet at once: without this, so would the first probe reach the cell.
	for wait := h.random() * float64(interval); sleep(ctx, time.Duration(wait)); {
		if succeeded, says := h.ask(ctx, target); says && ctx.Err() == nil {
			h.count(target, succeeded)
		}
		// ±10 %: loops that happen to run in step drift apart again.
		wait = float64(interval) * (0.9 + 0.2*h.random())
	}
}

// ask probes the cell once. says: whether the result says anything about it.
func (h *HealthChecker) ask(ctx context.Context, target *healthTarget) (succeeded, says bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.loops.Go(func() {
		runFor(ctx, milliseconds(target.settings.TimeoutMs))
		cancel()
	})
	defer func() {
		if fault := recover(); fault != nil {
			h.onFault(fault)
		}
	}()
	succeeded, err := h.probe(ctx, target.url+target.settings.Path)
	// Nothing was asked where this router could not open a connection.
	return succeeded, err == nil || upstreamErrorCode(err) != "router-exhausted"
}

func (h *HealthChecker) count(target *healthTarget, succeeded bool) {
	h.mu.Lock()
	from := target.state
	target.state = from.Next(succeeded, target.settings.Rise, target.settings.Fall)
	to := target.state
	h.mu.Unlock()
	if to.IsUnhealthy == from.IsUnhealthy {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			h.onFault(fault)
		}
	}()
	h.onTransition(target.name, to, from)
}

// #endregion health-checker

// runFor returns once this process has run for d: a cell is not to blame for a router that was paused.
func runFor(ctx context.Context, d time.Duration) {
	for d > 0 {
		step := min(d, probeStep)
		startedAt := time.Now()
		if !sleep(ctx, step) {
			return
		}
		if time.Since(startedAt) <= step+standstill {
			d -= step
		}
	}
}

// sleep returns false as soon as ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
