package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func tierOf(name string, fallback ...string) *Placement {
	return &Placement{Name: name, Kind: tier, PlacementResilience: PlacementResilience{Fallback: fallback}}
}

func dedicatedOf(name string, fallback ...string) *Placement {
	placement := tierOf(name, fallback...)
	placement.Kind = dedicated
	return placement
}

func tableOf(placements ...*Placement) *RoutingTable {
	table := &RoutingTable{PlacementList: placements, Placements: map[string]*Placement{}}
	for _, each := range placements {
		table.Placements[each.Name] = each
	}
	return table
}

func TestChooseTarget(t *testing.T) {
	table := tableOf(tierOf("tier1", "tier2", "tier3"), tierOf("tier2"), tierOf("tier3", "tier4"), tierOf("tier4"))
	type refusals map[string]Refusal
	for _, each := range []struct {
		title    string
		primary  string
		refusals refusals
		target   string
		reason   FailoverReason
		wait     time.Duration
		asked    string
	}{
		{"the primary takes it", "tier1", nil, "tier1", "", 0, "tier1"},
		{"unhealthy", "tier1", refusals{"tier1": {Reason: reasonUnhealthy}}, "tier2", reasonUnhealthy, 0, "tier1 tier2"},
		{"circuit open", "tier1", refusals{"tier1": {Reason: reasonCircuitOpen}}, "tier2", reasonCircuitOpen, 0, "tier1 tier2"},
		{"overloaded does not fail over", "tier1", refusals{"tier1": {reasonOverloaded, time.Second}}, "", reasonOverloaded, time.Second, "tier1"},
		{
			"a fallback is asked like everyone else", "tier1",
			refusals{"tier1": {Reason: reasonUnhealthy}, "tier2": {Reason: reasonOverloaded}, "tier3": {Reason: reasonCircuitOpen}},
			"tier4", reasonUnhealthy, 0, "tier1 tier2 tier3 tier4",
		},
		{
			"nobody: the shortest wait, with the primary's reason", "tier1",
			refusals{
				"tier1": {reasonCircuitOpen, 9 * time.Second}, "tier2": {Reason: reasonOverloaded},
				"tier3": {reasonCircuitOpen, 2 * time.Second}, "tier4": {reasonCircuitOpen, 4 * time.Second},
			},
			"", reasonCircuitOpen, 2 * time.Second, "tier1 tier2 tier3 tier4",
		},
		{"without a chain there is nobody", "tier2", refusals{"tier2": {Reason: reasonUnhealthy}}, "", reasonUnhealthy, 0, "tier2"},
	} {
		t.Run(each.title, func(t *testing.T) {
			var asked []string
			choice := chooseTarget(table, table.Placements[each.primary], func(placement *Placement) *Refusal {
				asked = append(asked, placement.Name)
				if refusal, ok := each.refusals[placement.Name]; ok {
					return &refusal
				}
				return nil
			})
			target := ""
			if choice.Target != nil {
				target = choice.Target.Name
			}
			if target != each.target || choice.Reason != each.reason || strings.Join(asked, " ") != each.asked {
				t.Errorf("%s for %q, asked %v", target, choice.Reason, asked)
			}
			if choice.Target == nil && choice.RetryAfter != each.wait {
				t.Errorf("wait %v, expected %v", choice.RetryAfter, each.wait)
			}
		})
	}
}

func TestFallbackChain(t *testing.T) {
	for _, each := range []struct {
		title    string
		table    *RoutingTable
		expected string
	}{
		{
			"first all that the primary names, then what those name, each once",
			tableOf(tierOf("a", "b", "c"), tierOf("b", "d", "c"), tierOf("c", "e"), tierOf("d"), tierOf("e", "d")), "b c d e",
		},
		{"ends in a table with loops", tableOf(tierOf("a", "b"), tierOf("b", "c"), tierOf("c", "a", "b", "c")), "b c"},
		{"leaves names out that nobody has", tableOf(tierOf("a", "ghost", "__proto__", "b"), tierOf("b")), "b"},
		{
			"never to or through another dedicated cell",
			tableOf(dedicatedOf("visa", "tier1"), tierOf("tier1", "amex"), dedicatedOf("amex", "tier2"), tierOf("tier2")), "tier1",
		},
	} {
		var names []string
		for _, placement := range fallbackChain(each.table.Placements, each.table.PlacementList[0]) {
			names = append(names, placement.Name)
		}
		if got := strings.Join(names, " "); got != each.expected {
			t.Errorf("%s: %s, expected %s", each.title, got, each.expected)
		}
	}
}

func faultsOfChains(table *RoutingTable) []string {
	faults := &Faults{}
	findFallbackFaults(table, &Fields{faults: faults, path: []string{"placements"}})
	return faults.List()
}

func TestFallbackFaults(t *testing.T) {
	const loopAB = `placements.a.fallback.0: Break the loop of fallbacks "a" → "b" → "a": a failure would run in a circle`
	for _, each := range []struct {
		title    string
		table    *RoutingTable
		expected []string
	}{
		{"a sound table", tableOf(dedicatedOf("visa", "tier1"), tierOf("tier1", "tier2", "tier3"), tierOf("tier2", "tier3"), tierOf("tier3")), nil},
		{"unknown placements", tableOf(tierOf("tier1", "tier2", "tier9"), tierOf("tier2")), []string{
			`placements.tier1.fallback.1: Remove "tier9" from the fallbacks of "tier1": no placement has this name`,
		}},
		{"itself", tableOf(tierOf("tier1", "tier1")), []string{
			`placements.tier1.fallback.0: Remove "tier1" from the fallbacks of "tier1": a placement cannot stand in for itself`,
		}},
		{"twice", tableOf(tierOf("tier1", "tier2", "tier2"), tierOf("tier2")), []string{
			`placements.tier1.fallback.1: Remove "tier2" from the fallbacks of "tier1": it is there twice`,
		}},
		{"ways into a dedicated cell", tableOf(dedicatedOf("visa"), dedicatedOf("amex", "visa"), tierOf("tier1", "visa")), []string{
			`placements.amex.fallback.0: Remove "visa" from the fallbacks of "amex": it is another tenant's dedicated cell`,
			`placements.tier1.fallback.0: Remove "visa" from the fallbacks of "tier1": it is another tenant's dedicated cell`,
		}},
		{"a loop of two and of three", tableOf(tierOf("a", "b"), tierOf("b", "a"), tierOf("c", "d"), tierOf("d", "e"), tierOf("e", "c")), []string{
			loopAB,
			`placements.c.fallback.0: Break the loop of fallbacks "c" → "d" → "e" → "c": a failure would run in a circle`,
		}},
		{"two loops over the same placements", tableOf(tierOf("a", "b"), tierOf("b", "c"), tierOf("c", "a", "b")), []string{
			`placements.a.fallback.0: Break the loop of fallbacks "a" → "b" → "c" → "a": a failure would run in a circle`,
			`placements.b.fallback.0: Break the loop of fallbacks "b" → "c" → "b": a failure would run in a circle`,
		}},
		{"one that only leads into a loop", tableOf(tierOf("outside", "a"), tierOf("a", "b"), tierOf("b", "a")), []string{loopAB}},
	} {
		t.Run(each.title, func(t *testing.T) {
			if got := faultsOfChains(each.table); strings.Join(got, "\n") != strings.Join(each.expected, "\n") {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
		})
	}
}

// No fault means that no placement leads back to itself, into a dedicated cell or to nobody; and a loop is a fault.
func TestFallbackFaultsFindEveryLoop(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	names := []string{"a", "b", "c", "d", "e", "ghost"}
	sound, faulty := 0, 0
	for range 3000 {
		var placements []*Placement
		for _, name := range names[:5] {
			placement := tierOf(name)
			if random.IntN(3) == 0 {
				placement.Kind = dedicated
			}
			for range random.IntN(3) {
				placement.Fallback = append(placement.Fallback, names[random.IntN(len(names))])
			}
			placements = append(placements, placement)
		}
		table := tableOf(placements...)
		faults := strings.Join(faultsOfChains(table), "\n")
		isSound := true
		for _, each := range placements {
			for _, name := range each.Fallback {
				target := table.Placements[name]
				isSound = isSound && target != nil && target.Kind == tier && strings.Count(fmt.Sprint(each.Fallback), name) == 1
			}
			isSound = isSound && !reaches(table, each, each.Name, map[string]bool{})
		}
		if isSound != (faults == "") {
			t.Fatalf("sound: %v, faults: %s", isSound, faults)
		}
		if isSound {
			sound++
		} else {
			faulty++
		}
	}
	if sound < 20 || faulty < 20 {
		t.Errorf("%d sound tables, %d faulty ones", sound, faulty)
	}
}

func reaches(table *RoutingTable, from *Placement, name string, seen map[string]bool) bool {
	for _, next := range from.Fallback {
		if next == name {
			return true
		}
		if target := table.Placements[next]; target != nil && !seen[next] {
			seen[next] = true
			if reaches(table, target, name, seen) {
				return true
			}
		}
	}
	return false
}

func TestHealthStateCountsResultsInARow(t *testing.T) {
	state, story := HealthState{}, ""
	for _, succeeded := range []bool{false, false, true, false, false, false, true, false, true, true} {
		state = state.Next(succeeded, 2, 3)
		story += state.Kind()[:1]
	}
	if story != "hhhhhuuuuh" {
		t.Errorf("healthy and unhealthy: %s", story)
	}
}

func TestConcurrencyLimit(t *testing.T) {
	limit := newConcurrencyLimit(2)
	first, second := limit.TryAcquire(), limit.TryAcquire()
	if first == nil || second == nil || limit.TryAcquire() != nil {
		t.Fatal("not exactly two places")
	}
	first.Release()
	first.Release()
	if limit.InFlight() != 1 || limit.TryAcquire() == nil || limit.TryAcquire() != nil {
		t.Error("a place was given back twice")
	}
	limit.Reconfigure(1)
	second.Release()
	if limit.TryAcquire() != nil {
		t.Error("below the new limit, a place was granted")
	}
	limit.Reconfigure(0)
	for range 100 {
		if limit.TryAcquire() == nil {
			t.Fatal("no limit refuses")
		}
	}
}
