// Counts successes and failures of the recent past for the circuit breaker. Ten slots stand for the window: memory and cost
// stay the same at one result per second and at a hundred thousand.

package main

import "time"

const windowSlots = 10

// #region rolling-window

// FailureWindow holds the totals of the last window, to a tenth of it: between nine tenths and the whole of it are counted.
type FailureWindow struct {
	slotLength time.Duration
	// Slots are numbered from here on.
	epoch           time.Time
	totals, failed  [windowSlots]int
	newestSlot      int64
	total, failures int
}

// newFailureWindow begins an empty window. length: more than 0.
func newFailureWindow(length time.Duration, now time.Time) FailureWindow {
	return FailureWindow{slotLength: max(1, length/windowSlots), epoch: now}
}

// Add counts one result.
func (w *FailureWindow) Add(isFailure bool, now time.Time) {
	w.dropOldSlots(now)
	index := w.newestSlot % windowSlots
	w.totals[index]++
	w.total++
	if isFailure {
		w.failed[index]++
		w.failures++
	}
}

func (w *FailureWindow) dropOldSlots(now time.Time) {
	slot := int64(now.Sub(w.epoch) / w.slotLength)
	// A clock that went back adds to the newest slot: nothing is dropped twice.
	for each := max(w.newestSlot+1, slot-windowSlots+1); each <= slot; each++ {
		index := each % windowSlots
		w.total -= w.totals[index]
		w.failures -= w.failed[index]
		w.totals[index], w.failed[index] = 0, 0
	}
	w.newestSlot = max(w.newestSlot, slot)
}

// #endregion rolling-window
