// Holds the one current snapshot and swaps it whole. Every part of the router that needs the table reads it here, and
// none of them knows where tables come from.

package main

import (
	"sync"
	"sync/atomic"
)

// Snapshot is one immutable routing table, numbered in the order in which this process applied it.
type Snapshot struct {
	// 1 for the first table that this process applied, then one more for each swap.
	Sequence int
	Table    *RoutingTable
}

// #region store

// TableStore holds the current snapshot. Its zero value is ready, and holds none.
type TableStore struct {
	current atomic.Pointer[Snapshot]
	// Swaps follow one another, so that every listener hears of them in their order.
	swapping  sync.Mutex
	listeners []func(next *Snapshot)
}

// Current returns the snapshot to use for one whole request, or nil before the first table has been applied.
func (s *TableStore) Current() *Snapshot { return s.current.Load() }

// Swap makes table current and tells the subscribers.
//
// One atomic pointer: a request reads either the old snapshot or the new one, never a mixture. Requests that are under
// way keep the snapshot that they read.
func (s *TableStore) Swap(table *RoutingTable) *Snapshot {
	s.swapping.Lock()
	defer s.swapping.Unlock()
	next := &Snapshot{Sequence: 1, Table: table}
	if previous := s.current.Load(); previous != nil {
		next.Sequence = previous.Sequence + 1
	}
	s.current.Store(next)
	for _, listener := range s.listeners {
		listener(next)
	}
	return next
}

// Subscribe calls listener after every later swap. Subscribe before the first table is applied.
func (s *TableStore) Subscribe(listener func(next *Snapshot)) {
	s.swapping.Lock()
	defer s.swapping.Unlock()
	s.listeners = append(s.listeners, listener)
}

// #endregion store
