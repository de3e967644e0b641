// How long to wait before the next attempt: capped exponential backoff with full jitter. It only computes: the caller counts
// the attempts, sleeps, and decides when to give up.

package main

import (
	"math"
	"time"
)

// #region full-jitter

// nextDelay is the delay before attempt `attempt + 1`: uniform in [0, min(cap, base · 2^attempt)).
//
// Full jitter draws from the whole range and not only from around its end. Whatever failed for everyone at the same moment
// is then asked again at moments spread over the range; a fixed delay would bring everyone back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
//
// attempt: how many attempts in a row have already been waited for, 0 for the first delay. random: in [0, 1).
func nextDelay(attempt int, random func() float64, baseMs, capMs float64) time.Duration {
	ceilingMs := math.Min(capMs, baseMs*math.Pow(2, float64(attempt)))
	return milliseconds(random() * ceilingMs)
}

// #endregion full-jitter
