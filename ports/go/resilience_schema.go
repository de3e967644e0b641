// What makes the optional resilience settings of a routing document valid: bounds, units and defaults by field. It extends what
// `routing_table.go` reads.

package main

import "regexp"

const maxPathLength = 1_024

var (
	// An hour: longer, and a number was meant in another unit.
	millisecondBounds = Bounds{Min: 1, Max: 3_600_000}
	countBounds       = Bounds{Min: 1, Max: 1_000_000, IsWhole: true}
	ratioBounds       = Bounds{Min: 0, Max: 1, Above: true}
	// After a second slash, or a backslash, would come a host: the probe would go there.
	healthPath = regexp.MustCompile(`^/($|[!"$-.0-\[\]-~][!"$-~]*$)`)
)

// #region resilience-schema

// readPlacementResilience reads the fields of one placement.
func readPlacementResilience(fields *Fields) PlacementResilience {
	var p PlacementResilience
	p.RateLimit = readRateLimit(fields, "rateLimit")
	if fields.Has("concurrencyLimit") {
		p.ConcurrencyLimit = int(fields.Number("concurrencyLimit", countBounds))
	}
	p.Health = readHealth(fields)
	p.CircuitBreaker = readCircuitBreaker(fields)
	p.Fallback = readFallback(fields)
	if retries := part(fields, "retries"); retries != nil {
		p.Retries = &RetrySettings{
			MaxRetries: int(retries.Number("maxRetries", Bounds{Max: mostRetries, IsWhole: true}, float64(defaultRetries.MaxRetries))),
			BaseMs:     retries.Number("baseMs", millisecondBounds, defaultRetries.BaseMs),
			CapMs:      retries.Number("capMs", millisecondBounds, defaultRetries.CapMs),
		}
		retries.End()
	}
	return p
}

// readTableResilience reads the fields at the top of the document.
func readTableResilience(fields *Fields) TableResilience {
	t := TableResilience{KeyLimits: map[string]RateLimitSettings{}, RetryBudget: defaultRetryBudget}
	if keys := part(fields, "keyLimits"); keys != nil {
		for _, key := range keys.object.Names {
			if fields.faults.IsFull() {
				break
			}
			if key == "" || utf16Length(key) > maxRoutingKeyBytes {
				fields.faults.Add(keys.At(key), "a routing key has 1 to %d characters", maxRoutingKeyBytes)
			}
			if limit := readRateLimit(keys, key); limit != nil {
				t.KeyLimits[key] = *limit
			}
		}
	}
	t.UnlistedKeysLimit = readRateLimit(fields, "unlistedKeysLimit")
	if budget := part(fields, "retryBudget"); budget != nil {
		t.RetryBudget = RetryBudgetSettings{
			Ratio:        budget.Number("ratio", Bounds{Max: 1}, defaultRetryBudget.Ratio),
			MinPerSecond: budget.Number("minPerSecond", Bounds{Max: 1_000}, defaultRetryBudget.MinPerSecond),
			MaxBalance:   budget.Number("maxBalance", Bounds{Min: 1, Max: 1_000_000}, defaultRetryBudget.MaxBalance),
		}
		budget.End()
	}
	return t
}

// #endregion resilience-schema

// part reads an optional member that is an object; nil where there is none, or a fault.
func part(fields *Fields, name string) *Fields {
	if !fields.Has(name) {
		return nil
	}
	return fields.Object(name)
}

func readRateLimit(fields *Fields, name string) *RateLimitSettings {
	limit := part(fields, name)
	if limit == nil {
		return nil
	}
	defer limit.End()
	return &RateLimitSettings{
		RatePerSecond: limit.Number("ratePerSecond", Bounds{Max: 1_000_000, Above: true}),
		Burst:         limit.Number("burst", Bounds{Min: 1, Max: 1_000_000}),
	}
}

func readHealth(fields *Fields) *HealthSettings {
	health := part(fields, "health")
	if health == nil {
		return nil
	}
	defer health.End()
	path := defaultHealth.Path
	if health.Has("path") {
		text, ok := health.Text("path", maxPathLength)
		if ok && !healthPath.MatchString(text) {
			health.faults.Add(health.At("path"), "a path begins with one / and has no spaces and no #")
		}
		path = text
	}
	return &HealthSettings{
		Path:       path,
		IntervalMs: health.Number("intervalMs", millisecondBounds, defaultHealth.IntervalMs),
		TimeoutMs:  health.Number("timeoutMs", millisecondBounds, defaultHealth.TimeoutMs),
		Rise:       int(health.Number("rise", countBounds, float64(defaultHealth.Rise))),
		Fall:       int(health.Number("fall", countBounds, float64(defaultHealth.Fall))),
	}
}

func readCircuitBreaker(fields *Fields) *CircuitBreakerSettings {
	breaker := part(fields, "circuitBreaker")
	if breaker == nil {
		return nil
	}
	defer breaker.End()
	count := func(name string, otherwise int) int {
		return int(breaker.Number(name, countBounds, float64(otherwise)))
	}
	return &CircuitBreakerSettings{
		ConsecutiveFailures: count("consecutiveFailures", defaultCircuitBreaker.ConsecutiveFailures),
		FailureRatio:        breaker.Number("failureRatio", ratioBounds, defaultCircuitBreaker.FailureRatio),
		WindowMs:            breaker.Number("windowMs", millisecondBounds, defaultCircuitBreaker.WindowMs),
		MinimumRequests:     count("minimumRequests", defaultCircuitBreaker.MinimumRequests),
		WaitMs:              breaker.Number("waitMs", millisecondBounds, defaultCircuitBreaker.WaitMs),
		MaxWaitMs:           breaker.Number("maxWaitMs", millisecondBounds, defaultCircuitBreaker.MaxWaitMs),
		HalfOpenProbes:      count("halfOpenProbes", defaultCircuitBreaker.HalfOpenProbes),
	}
}

const maxFallbacks = 16

func readFallback(fields *Fields) []string {
	if !fields.Has("fallback") {
		return nil
	}
	list, ok := fields.object.Members["fallback"].([]any)
	switch {
	case !ok:
		fields.faults.Add(fields.At("fallback"), "%s", expected("a list", fields.object.Members["fallback"], true))
		return nil
	case len(list) > maxFallbacks:
		fields.faults.Add(fields.At("fallback"), "must have at most %d elements", maxFallbacks)
		return nil
	}
	names := make([]string, 0, len(list))
	for _, element := range list {
		name, ok := element.(string)
		if !ok {
			fields.faults.Add(fields.At("fallback"), "%s", expected("a string", element, true))
		}
		names = append(names, name)
	}
	return names
}
