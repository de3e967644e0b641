// State changes as server-sent events, for whoever watches this router: breakers, health, tables, and, while somebody watches, a
// sample of decisions. Losing an event to a slow watcher is fine; holding a request up for one is not.

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWatchers = 16
	// Events that a watcher gets who comes later, or comes back.
	keptEvents = 100
	// A sample to look at, not a log.
	maxDecisionsPerSecond = 20
	heartbeat             = 15 * time.Second
	// What waits for a watcher that does not read; then it is cut off.
	maxBufferedBytes = 256 * 1024
	watcherTimeout   = 30 * time.Second
)

// Event is what watchers hear of: its type, and what else its data says.
type Event struct {
	Type   string
	Fields map[string]any
}

// Events has the watchers. Its zero value is ready.
type Events struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
	// Read without the lock: most of the time, nobody watches.
	watching  atomic.Int64
	recent    []sentEvent
	lastID    int64
	second    int64
	decisions int
	isClosed  bool
}

type sentEvent struct {
	id   int64
	text string
}

type watcher struct {
	waiting []string
	bytes   int
	wake    chan struct{}
	isGone  bool
}

// #region events

// Emit sends event to all watchers, and keeps all but decisions for those who come later.
func (e *Events) Emit(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(event)
}

func (e *Events) emit(event Event) {
	e.lastID++
	data := map[string]any{"time": isoTime(time.Now()), "type": event.Type}
	for name, value := range event.Fields {
		data[name] = value
	}
	written, err := json.Marshal(data)
	if err != nil {
		panic(err) // Texts and numbers of this program.
	}
	text := fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.lastID, event.Type, written)
	if event.Type != "decision" {
		e.recent = append(e.recent, sentEvent{e.lastID, text})
		e.recent = e.recent[max(0, len(e.recent)-keptEvents):]
	}
	for each := range e.watchers {
		each.send(text)
	}
}

// RequestEnded shows one ended request, while somebody watches; never its routing key.
func (e *Events) RequestEnded(entry *AccessEntry) {
	if e.watching.Load() == 0 || entry.Placement == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if second := time.Now().Unix(); second != e.second {
		e.second, e.decisions = second, 0
	}
	if e.decisions++; e.decisions > maxDecisionsPerSecond {
		return
	}
	fields := map[string]any{
		"placement": entry.Placement, "servedBy": entry.Placement, "status": entry.Status, "retries": entry.Retries,
	}
	if entry.ServedBy != "" {
		fields["servedBy"], fields["failoverReason"] = entry.ServedBy, entry.FailoverReason
	}
	e.emit(Event{"decision", fields})
}

// Watch streams events to one watcher: first those that it missed.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
func (e *Events) Watch(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	if r.Method == http.MethodHead {
		header.Set("Content-Type", "text/event-stream")
		return
	}
	me := e.join(r.Header.Get("Last-Event-ID"))
	if me == nil {
		header.Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer e.leave(me)
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	controller := http.NewResponseController(w)
	for {
		texts, isGone := e.take(me)
		controller.SetWriteDeadline(time.Now().Add(watcherTimeout))
		for _, text := range texts {
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
		}
		if controller.Flush() != nil || isGone {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-me.wake:
		case <-time.After(heartbeat):
			// Finds watchers that are gone.
			e.mu.Lock()
			me.send(": still here\n\n")
			e.mu.Unlock()
		}
	}
}

// Close ends all streams.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.isClosed = true
	for each := range e.watchers {
		each.isGone = true
		each.signal()
	}
}

// #endregion events

// join returns nil when there is no place left.
func (e *Events) join(lastEventID string) *watcher {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.watchers) >= maxWatchers || e.isClosed {
		return nil
	}
	seen, err := strconv.ParseInt(lastEventID, 10, 64)
	if err != nil || seen > e.lastID {
		// Higher than any: it counted the events of the router's life before this one, and has seen none of these.
		seen = 0
	}
	me := &watcher{wake: make(chan struct{}, 1)}
	me.send("retry: 2000\n\n")
	for _, event := range e.recent {
		if event.id > seen {
			me.send(event.text)
		}
	}
	if e.watchers == nil {
		e.watchers = map[*watcher]bool{}
	}
	e.watchers[me] = true
	e.watching.Add(1)
	return me
}

func (e *Events) leave(me *watcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watchers, me)
	e.watching.Add(-1)
}

func (e *Events) take(me *watcher) (texts []string, isGone bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	texts, me.waiting, me.bytes = me.waiting, nil, 0
	return texts, me.isGone
}

func (w *watcher) send(text string) {
	if w.bytes += len(text); w.bytes > maxBufferedBytes {
		w.isGone = true
	} else {
		w.waiting = append(w.waiting, text)
	}
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
