// What the router counts, for Prometheus. Every label is a placement of the table or a word of a fixed list: a label made of what
// clients send, such as the routing key, would grow the memory with every key that somebody invents.
//
// The text format is so small that this file writes it itself; the official client would bring nine modules.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// counter is one family of counters, by the values of its labels.
type counter struct {
	name, help string
	labels     []string
	values     map[[3]string]int64
}

// durations is one histogram by placement.
type durations struct {
	counts  [len(durationBuckets) + 1]int64
	seconds float64
}

var durationBuckets = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// #region metrics

// Metrics counts. Gauges are read when somebody asks: nothing to keep in step, and a placement that is gone leaves no trace.
type Metrics struct {
	resilience   *Resilience
	isHealthy    func(placement string) bool
	linesDropped func() int64

	mu                                               sync.Mutex
	requests, refusals, attempts, retries, failovers *counter
	durations                                        map[string]*durations
}

func newMetrics(resilience *Resilience, isHealthy func(string) bool, linesDropped func() int64) *Metrics {
	family := func(name, help string, labels ...string) *counter {
		return &counter{"cell_router_" + name, help, labels, map[[3]string]int64{}}
	}
	return &Metrics{
		resilience: resilience, isHealthy: isHealthy, linesDropped: linesDropped,
		requests:  family("requests_total", "Requests by the placement routed to.", "placement", "status", "outcome"),
		refusals:  family("refusals_total", "Responses that the router made itself, by code.", "code"),
		attempts:  family("attempts_total", "Attempts at cells.", "placement", "result"),
		retries:   family("retries_total", "Retries by placement.", "placement"),
		failovers: family("failovers_total", "Requests served elsewhere.", "from", "to", "reason"),
		durations: map[string]*durations{},
	}
}

// RequestEnded counts a request.
func (m *Metrics) RequestEnded(entry *AccessEntry) {
	placement := entry.Placement
	if placement == "" {
		placement = "none"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests.values[[3]string{placement, strconv.Itoa(entry.Status/100) + "xx", string(entry.Outcome)}]++
	if entry.Code != "" {
		m.refusals.values[[3]string{string(entry.Code)}]++
	}
	if entry.ServedBy != "" {
		m.failovers.values[[3]string{placement, entry.ServedBy, string(entry.FailoverReason)}]++
	}
	if entry.Placement == "" {
		return
	}
	times := m.durations[placement]
	if times == nil {
		times = &durations{}
		m.durations[placement] = times
	}
	seconds := entry.Duration.Seconds()
	bucket, _ := slices.BinarySearch(durationBuckets[:], seconds)
	times.counts[bucket]++
	times.seconds += seconds
}

// AttemptEnded counts an attempt at a cell.
func (m *Metrics) AttemptEnded(placement string, result AttemptOutcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts.values[[3]string{placement, string(result)}]++
}

// Retried counts a retry.
func (m *Metrics) Retried(placement string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retries.values[[3]string{placement}]++
}

// WriteText writes the text format of Prometheus.
func (m *Metrics) WriteText(to io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, family := range []*counter{m.requests, m.refusals, m.attempts, m.retries, m.failovers} {
		family.write(to)
	}
	m.writeDurations(to)
	fmt.Fprintf(to, "# HELP %[1]s Log lines that could not be written.\n# TYPE %[1]s counter\n%[1]s %[2]d\n",
		"cell_router_log_lines_dropped_total", m.linesDropped())
	m.writeGauge(to, "in_flight", "Requests in flight by placement.", func(_ string, guard *Guard) int {
		return guard.Limit.InFlight()
	})
	m.writeGauge(to, "healthy", "1 while the active health check says so.", func(placement string, _ *Guard) int {
		if m.isHealthy(placement) {
			return 1
		}
		return 0
	})
	m.writeGauge(to, "breaker_state", "0 closed, 1 half-open, 2 open.", func(_ string, guard *Guard) int {
		if guard.Breaker == nil {
			return absent
		}
		return map[BreakerKind]int{breakerClosed: 0, breakerHalfOpen: 1, breakerOpen: 2}[guard.Breaker.State(time.Now()).Kind]
	})
}

// #endregion metrics

func (c *counter) write(to io.Writer) {
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s counter\n", c.name, c.help, c.name)
	for values, count := range c.values {
		pairs := make([]string, len(c.labels))
		for at, label := range c.labels {
			// Placements' names and words of this program: nothing in them needs escaping.
			pairs[at] = fmt.Sprintf("%s=%q", label, values[at])
		}
		fmt.Fprintf(to, "%s{%s} %d\n", c.name, strings.Join(pairs, ","), count)
	}
}

func (m *Metrics) writeDurations(to io.Writer) {
	const name = "cell_router_request_duration_seconds"
	fmt.Fprintf(to, "# HELP %s Time from a request's head to the end of its response.\n# TYPE %s histogram\n", name, name)
	for placement, times := range m.durations {
		total := int64(0)
		for at, count := range times.counts {
			total += count
			bound := math.Inf(1)
			if at < len(durationBuckets) {
				bound = durationBuckets[at]
			}
			fmt.Fprintf(to, "%s_bucket{le=\"%v\",placement=%q} %d\n", name, bound, placement, total)
		}
		fmt.Fprintf(to, "%s_sum{placement=%q} %v\n%s_count{placement=%q} %d\n", name, placement, times.seconds, name, placement, total)
	}
}

// absent: a gauge that a placement does not have.
const absent = -1

func (m *Metrics) writeGauge(to io.Writer, name, help string, read func(placement string, guard *Guard) int) {
	fmt.Fprintf(to, "# HELP cell_router_%[1]s %[2]s\n# TYPE cell_router_%[1]s gauge\n", name, help)
	m.resilience.Guards(func(placement string, guard *Guard) {
		if value := read(placement, guard); value != absent {
			fmt.Fprintf(to, "cell_router_%s{placement=%q} %d\n", name, placement, value)
		}
	})
}
