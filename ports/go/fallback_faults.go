// Finds what is wrong with the fallback chains of a table before the table is used: names that nobody has, chains that lead back
// to where they came from, and ways into a tenant's own cell. Following the chains is left to `failover.go`.

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// #region fallback-faults

// findFallbackFaults notes every fault of every chain, in the order of the table.
func findFallbackFaults(table *RoutingTable, placements *Fields) {
	visits := map[*Placement]visit{}
	for _, each := range table.PlacementList {
		for index, target := range each.Fallback {
			if fault := fallbackFault(table, each, target, slices.Index(each.Fallback, target) < index); fault != "" {
				addFallbackFault(placements, each, index, fault)
			}
		}
		findLoops(table, placements, each, nil, visits)
	}
}

func fallbackFault(table *RoutingTable, placement *Placement, target string, isRepeated bool) string {
	remove := fmt.Sprintf("Remove %s from the fallbacks of %s", quoted(target), quoted(placement.Name))
	fallback, ok := table.Placements[target]
	switch {
	case target == placement.Name:
		return remove + ": a placement cannot stand in for itself"
	case isRepeated:
		return remove + ": it is there twice"
	case !ok:
		return remove + ": no placement has this name"
	case fallback.Kind == dedicated:
		// Tenants of a tier in somebody's own cell would break invariant 5. The other way, from a dedicated cell to a tier,
		// is that tenant's own choice.
		return remove + ": it is another tenant's dedicated cell"
	}
	return ""
}

// #endregion fallback-faults

type visit int

const (
	notVisited visit = iota
	// On the way of the search.
	underWay
	visited
)

// findLoops searches in depth, and visits each placement once: a fallback that is on the way to here closes a loop.
func findLoops(table *RoutingTable, placements *Fields, from *Placement, way []*Placement, visits map[*Placement]visit) {
	if visits[from] != notVisited {
		return
	}
	visits[from] = underWay
	way = append(way, from)
	for _, name := range from.Fallback {
		target, ok := table.Placements[name]
		if !ok || target == from || target.Kind == dedicated {
			continue
		}
		if visits[target] == underWay {
			nameLoop(placements, way[slices.Index(way, target):])
		}
		findLoops(table, placements, target, way, visits)
	}
	visits[from] = visited
}

// nameLoop notes a loop at the entry with which it begins.
func nameLoop(placements *Fields, loop []*Placement) {
	var names []string
	for _, each := range loop {
		names = append(names, quoted(each.Name))
	}
	words := strings.Join(append(names, names[0]), " → ")
	addFallbackFault(placements, loop[0], slices.Index(loop[0].Fallback, loop[1].Name),
		"Break the loop of fallbacks "+words+": a failure would run in a circle")
}

func addFallbackFault(placements *Fields, placement *Placement, index int, fault string) {
	path := append(placements.At(placement.Name), "fallback", strconv.Itoa(index))
	placements.faults.Add(path, "%s", fault)
}
