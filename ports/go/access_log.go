// One JSON line for each request, when it has ended. Owns the line's fields; `log.go` owns the writing.

package main

import (
	"log/slog"
	"math"
	"time"
)

// Outcome is how a request ended: whole, cut by the client, or cut by the cell.
type Outcome string

const (
	outcomeComplete       Outcome = "complete"
	outcomeClientAborted  Outcome = "client-aborted"
	outcomeUpstreamFailed Outcome = "upstream-failed"
)

// AccessEntry is what is known of a request when it has ended. Empty where it does not apply.
type AccessEntry struct {
	RequestID, Method, Path string
	RoutingKey, Placement   string
	Reason                  RouteReason
	Upstream                string
	// Placement that served, where it is another than the one routed to, and why.
	ServedBy       string
	FailoverReason FailoverReason
	Retries        int
	// Status sent to the client; 0 when the client left before there was one.
	Status   int
	Duration time.Duration
	// Bytes of the request's body that went to the cell, and of the response's body that came from there.
	BytesIn, BytesOut int64
	Outcome           Outcome
	// Error code of a response that the router made itself, and the machine-readable cause.
	Code  ErrorCode
	Cause string
}

// AccessLog writes entries, and tells the listeners of each, such as metrics: one place knows how each request ended.
type AccessLog struct {
	logger    *Logger
	listeners []func(*AccessEntry)
}

// Record takes the entry of a request that has ended.
func (l *AccessLog) Record(entry AccessEntry) {
	if l.logger.Says(slog.LevelInfo) {
		l.write(&entry)
	}
	for _, listener := range l.listeners {
		l.tell(listener, &entry)
	}
}

func (l *AccessLog) write(entry *AccessEntry) {
	fields := make([]slog.Attr, 0, 16)
	text := func(name, value string) {
		if value != "" {
			fields = append(fields, slog.String(name, value))
		}
	}
	fields = append(fields, slog.String("requestId", entry.RequestID), slog.String("method", entry.Method), slog.String("path", entry.Path))
	text("routingKey", entry.RoutingKey)
	text("placement", entry.Placement)
	text("reason", string(entry.Reason))
	text("upstream", entry.Upstream)
	text("servedBy", entry.ServedBy)
	text("failoverReason", string(entry.FailoverReason))
	if entry.Retries > 0 {
		fields = append(fields, slog.Int("retries", entry.Retries))
	}
	fields = append(fields,
		slog.Int("status", entry.Status),
		slog.Float64("durationMs", math.Round(float64(entry.Duration.Microseconds()))/1000),
		slog.Int64("bytesIn", entry.BytesIn),
		slog.Int64("bytesOut", entry.BytesOut),
		slog.String("outcome", string(entry.Outcome)),
	)
	text("code", string(entry.Code))
	text("cause", entry.Cause)
	l.logger.Info("request", fields...)
}

// tell: the request has ended well or badly; whoever counts it must not change that.
func (l *AccessLog) tell(listener func(*AccessEntry), entry *AccessEntry) {
	defer func() {
		if fault := recover(); fault != nil {
			l.logger.Fault(fault)
		}
	}()
	listener(entry)
}
