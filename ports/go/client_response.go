// The response on its way to the client: what net/http's own ResponseWriter does not do. Its status is kept for the log, interim
// responses are filtered, a head does not wait for its body, and a client that does not read is not waited for for ever.

package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// How long a client may leave written bytes unread.
	clientStalledTimeout = 75 * time.Second
	// How often that limit is set anew: a write may take a second less than it says.
	clientStalledStep = time.Second
)

// ClientResponse is the ResponseWriter that ReverseProxy gets.
type ClientResponse struct {
	http.ResponseWriter
	controller *http.ResponseController
	request    *http.Request
	exchange   *Exchange
	// Status of the final response; 0 before its head.
	status        int
	isInterimSent atomic.Bool
	isContinued   bool
	// Some of the body is here already, and goes along with the head; all of it, and the response's end goes along with it.
	bodyFollows, bodyEnds bool
	stalledAt             time.Time
}

// Unwrap is for http.ResponseController.
func (w *ClientResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// IsAnswered tells whether a byte of a cell's response, interim ones included, has gone to the client.
func (w *ClientResponse) IsAnswered() bool { return w.status != 0 || w.isInterimSent.Load() }

// #region write-header

func (w *ClientResponse) WriteHeader(status int) {
	w.limitTime()
	if status < 200 {
		w.writeInterim(status)
		return
	}
	w.status = status
	header := w.Header()
	if _, ok := header["Content-Type"]; !ok {
		// Otherwise net/http guesses one.
		header["Content-Type"] = nil
	}
	if body := w.exchange.body; body != nil && !body.isEnded.Load() {
		// What is still to come of the request's body must not be read as the next request: net/http forgets about it when
		// the two bodies may overlap (EnableFullDuplex).
		header["Connection"] = []string{"close"}
	}
	w.ResponseWriter.WriteHeader(status)
	if !w.bodyFollows && !w.isBodyless(status) {
		// The client of a slow stream must not wait for its first event to learn that the stream is open.
		w.controller.Flush()
	}
}

// writeInterim passes an interim response on. The router has met the client's expectation itself, and an HTTP/1.0 client
// knows no interim responses: https://www.rfc-editor.org/rfc/rfc9110#section-15.2
func (w *ClientResponse) writeInterim(status int) {
	if status == http.StatusContinue || !w.request.ProtoAtLeast(1, 1) {
		return
	}
	interimHeaders(w.Header())
	w.ResponseWriter.WriteHeader(status)
	w.isInterimSent.Store(true)
}

// sendContinue meets the client's expectation, once.
func (w *ClientResponse) sendContinue() {
	if w.exchange.head.ExpectsContinue && !w.isContinued {
		w.isContinued = true
		w.limitTime()
		w.ResponseWriter.WriteHeader(http.StatusContinue)
	}
}

func (w *ClientResponse) isBodyless(status int) bool {
	return w.request.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified ||
		w.Header().Get("Content-Length") == "0"
}

// #endregion write-header

// Write passes a piece of the body on. It does not wait for the next one, unless that is here already.
func (w *ClientResponse) Write(p []byte) (int, error) {
	w.limitTime()
	n, err := w.ResponseWriter.Write(p)
	// An HTTP/1.0 client's body ends with the connection, as the cell's does; net/http would count a short one.
	if err == nil && !(w.bodyEnds && w.request.ProtoAtLeast(1, 1)) {
		err = w.controller.Flush()
	}
	return n, err
}

// limitTime gives the next write its time.
func (w *ClientResponse) limitTime() {
	if now := time.Now(); now.Sub(w.stalledAt) > clientStalledStep {
		w.stalledAt = now
		w.controller.SetWriteDeadline(now.Add(clientStalledTimeout))
	}
}
