// Decides which placement serves a routing key. Pure: a table and a key in, a decision out.
// It reads no header, no clock and no network.

package main

// RouteReason says why a placement was chosen; sent to the client as `X-Route-Reason`.
type RouteReason string

const reasonDefault RouteReason = "default"

// RouteDecision is what the table says about one routing key.
type RouteDecision struct {
	Placement *Placement
	Reason    RouteReason
}

// #region route

// route looks the routing key up in one table.
//
// A listed key goes to its placement, with that placement's kind as the reason; every other key goes to the
// default placement.
func route(table *RoutingTable, routingKey string) RouteDecision {
	if listed, ok := table.PlacementByKey[routingKey]; ok {
		return RouteDecision{Placement: listed, Reason: RouteReason(listed.Kind)}
	}
	return RouteDecision{Placement: table.DefaultPlacement, Reason: reasonDefault}
}

// #endregion route
