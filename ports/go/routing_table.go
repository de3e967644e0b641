// The routing table: which placement serves which routing key, and where each placement lives. Owns the types, the table that
// m1 has built in, and what makes a document a valid table. It leaves the decision to `routing.go`, and where a document
// comes from to its source.

package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxRoutingKeyBytes = 256
	// Each placement costs a router a pool of connections, a breaker and metrics.
	maxPlacements    = 10_000
	maxURLLength     = 1_024
	maxVersionLength = 256
)

// PlacementKind says whose cell it is.
type PlacementKind string

const (
	// One tenant's own cell.
	dedicated PlacementKind = "dedicated"
	// A cell that several tenants share.
	tier PlacementKind = "tier"
)

// Placement is a failure domain that can serve tenants.
type Placement struct {
	Name string        `json:"name"`
	Kind PlacementKind `json:"kind"`
	// Origin of the cell's endpoint, such as `http://127.0.0.1:9001`, and what it dials.
	URL  string `json:"url"`
	Host string `json:"-"`
	PlacementResilience
}

// RoutingTable is immutable. Replaced whole, never edited in place.
type RoutingTable struct {
	Version string
	// Serves every routing key that the table does not list.
	DefaultPlacement *Placement
	Placements       map[string]*Placement
	// The same in the order of the document.
	PlacementList  []*Placement
	PlacementByKey map[string]*Placement
	TableResilience
}

// #region static-table

// staticRoutingTable is m1's: one tenant with a cell of its own, three tiers, `tier3` for everyone else. cells: endpoint of each
// placement by name, to run the cells elsewhere than on the default ports.
func staticRoutingTable(cells map[string]string) (*RoutingTable, []string) {
	document := &Object{Members: map[string]any{
		"version": "1.0.0", "defaultPlacement": "tier3",
		"routingTable": members("visa", "visa", "acme", "tier1", "globex", "tier2", "initech", "tier3"),
	}}
	placements := &Object{Members: map[string]any{}}
	for name, port := range map[string]string{"visa": "9004", "tier1": "9001", "tier2": "9002", "tier3": "9003"} {
		url, ok := cells[name]
		if !ok {
			url = "http://127.0.0.1:" + port
		}
		kind := tier
		if name == "visa" {
			kind = dedicated
		}
		placements.Names = append(placements.Names, name)
		placements.Members[name] = members("kind", string(kind), "url", url)
	}
	document.Members["placements"] = placements
	return parseRoutingTable(document, false)
}

func members(pairs ...string) *Object {
	object := &Object{Members: map[string]any{}}
	for at := 0; at < len(pairs); at += 2 {
		object.Names = append(object.Names, pairs[at])
		object.Members[pairs[at]] = pairs[at+1]
	}
	return object
}

// #endregion static-table

// #region parse

// parseRoutingTable reads a document as a routing table, whole or not at all: a table with one good half would route the other
// half's tenants wrongly. On failure it returns every fault, each with its path: `placements.acme.url: …`. Resilience
// settings are unknown properties to the milestones before m4.
func parseRoutingTable(document any, withResilience bool) (*RoutingTable, []string) {
	faults := &Faults{}
	table := &RoutingTable{}
	if fields := fieldsOf(faults, nil, document, true); fields != nil {
		table.read(fields, withResilience)
		fields.End()
	}
	if list := faults.List(); len(list) > 0 {
		return nil, list
	}
	return table, nil
}

func (t *RoutingTable) read(fields *Fields, withResilience bool) {
	if fields.Has("$schema") {
		// Where editors find the JSON Schema; means nothing to the router.
		fields.Text("$schema", maxURLLength)
	}
	t.Version, _ = fields.Text("version", maxVersionLength)
	// Before the references to them, and with the faulty ones: a placement with a fault is there all the same.
	t.readPlacements(fields, withResilience)
	t.DefaultPlacement = t.placementNamed(fields, "defaultPlacement")
	if t.DefaultPlacement != nil && t.DefaultPlacement.Kind == dedicated {
		// Every stranger would reach one tenant's own cell.
		fields.faults.Add(fields.At("defaultPlacement"), "%s is one tenant's own; name a tier", quoted(t.DefaultPlacement.Name))
	}
	t.PlacementByKey = map[string]*Placement{}
	if keys := fields.Object("routingTable"); keys != nil {
		for _, key := range keys.object.Names {
			if fields.faults.IsFull() {
				return
			}
			if fault := routingKeyFault(key); fault != "" {
				fields.faults.Add(keys.At(key), "%s", fault)
			}
			t.PlacementByKey[key] = t.placementNamed(keys, key)
		}
	}
	if withResilience {
		t.TableResilience = readTableResilience(fields)
	}
}

// placementNamed reads a member that names a placement; nil, with a fault noted, when it names none.
func (t *RoutingTable) placementNamed(fields *Fields, name string) *Placement {
	isThere := fields.Has(name)
	text, ok := fields.object.Members[name].(string)
	if !ok {
		fields.faults.Add(fields.At(name), "%s", expected("a string", fields.object.Members[name], isThere))
		return nil
	}
	placement, ok := t.Placements[text]
	if !ok {
		fields.faults.Add(fields.At(name), "unknown placement %s", quoted(text))
	}
	return placement
}

// #endregion parse

// #region placements

// Sent as `X-Routed-To`: it must be safe in a header field, and in a log line and a metric's label too.
var placementName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (t *RoutingTable) readPlacements(fields *Fields, withResilience bool) {
	t.Placements = map[string]*Placement{}
	placements := fields.Object("placements")
	if placements == nil {
		return
	}
	if len(placements.object.Names) > maxPlacements {
		fields.faults.Add(placements.path, "must have at most %d entries", maxPlacements)
		return
	}
	for _, name := range placements.object.Names {
		if fields.faults.IsFull() {
			return
		}
		if !placementName.MatchString(name) {
			fields.faults.Add(placements.At(name), "a placement's name has up to 64 letters, digits, dots, dashes and underscores, "+
				"a letter or digit first")
		}
		placement := readPlacement(placements, name, withResilience)
		t.Placements[name] = placement
		t.PlacementList = append(t.PlacementList, placement)
	}
	t.checkEndpoints(placements)
	findFallbackFaults(t, placements)
}

func readPlacement(placements *Fields, name string, withResilience bool) *Placement {
	placement := &Placement{Name: name, Kind: tier}
	fields := placements.Object(name)
	if fields == nil {
		return placement
	}
	isThere := fields.Has("kind")
	switch kind := fields.object.Members["kind"]; kind {
	case string(dedicated), string(tier):
		placement.Kind = PlacementKind(kind.(string))
	default:
		fields.faults.Add(fields.At("kind"), "%s", expected(`"dedicated" or "tier"`, kind, isThere))
	}
	if url, ok := fields.Text("url", maxURLLength); ok {
		if placement.URL, placement.Host, ok = readOrigin(url); !ok {
			// What is wrong with a table is logged: a password is not repeated.
			got := ", got " + quoted(url)
			if strings.Contains(url, "@") {
				got = ""
			}
			fields.faults.Add(fields.At("url"), "expected http://host:port without path, query or credentials%s", got)
		}
	}
	if withResilience {
		placement.PlacementResilience = readPlacementResilience(fields)
	}
	fields.End()
	return placement
}

// checkEndpoints holds isolation: what shares an endpoint shares its cell, and a dedicated cell is one tenant's own.
func (t *RoutingTable) checkEndpoints(placements *Fields) {
	owners := map[string]*Placement{}
	for _, each := range t.PlacementList {
		if each.Kind == dedicated && each.Host != "" {
			owners[dialledAt(each.Host)] = each
		}
	}
	for _, each := range t.PlacementList {
		owner := owners[dialledAt(each.Host)]
		if each.Host == "" || owner == nil || owner == each {
			continue
		}
		leads := "is"
		if each.URL != owner.URL {
			leads = fmt.Sprintf("leads to %s,", quoted(owner.URL))
		}
		path := append(placements.At(each.Name), "url")
		placements.faults.Add(path, "%s %s the endpoint of %s: %s would share its dedicated cell",
			quoted(each.URL), leads, quoted(owner.Name), quoted(each.Name))
	}
}

// #endregion placements

// unfitInKey: with U+FFFD, all broken UTF-8 would match.
func unfitInKey(r rune) bool { return unicode.IsControl(r) || r == '\uFFFD' }

// routingKeyFault: a key that no request can carry. HTTP trims spaces, so with some around it, it would never match.
func routingKeyFault(key string) string {
	switch {
	case key == "":
		return "must not be empty"
	case len(key) > maxRoutingKeyBytes:
		return fmt.Sprintf("a routing key has at most %d bytes", maxRoutingKeyBytes)
	case strings.TrimSpace(key) != key, strings.ContainsFunc(key, unfitInKey):
		return "no request can carry this key: outer space, a control character, or U+FFFD for broken UTF-8"
	}
	return ""
}
