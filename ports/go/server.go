// The listener towards clients: net/http's server, its time limits, and how it stops. What happens to a good request is the
// handler's business, what is none that of `front.go`.

package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// From a request's head to the end of its body: the longest upload.
	requestTimeout = 300 * time.Second
	// How long requests under way may take to finish after a signal to stop.
	drainTimeout = 10 * time.Second
)

// DataServer serves the clients.
type DataServer struct {
	server   http.Server
	isFenced bool

	mu sync.Mutex
	// Connections on which no request has begun yet.
	silent map[net.Conn]bool
}

func newDataServer(handler http.Handler, keepAlive time.Duration, isFenced bool) *DataServer {
	d := &DataServer{isFenced: isFenced, silent: map[net.Conn]bool{}}
	if keepAlive == 0 {
		// To net/http, 0 is the limit of a whole request.
		keepAlive = -1
	}
	d.server = http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headReadTimeout,
		ReadTimeout:       requestTimeout,
		IdleTimeout:       keepAlive,
		// net/http allows 4096 bytes on top.
		MaxHeaderBytes:               maxHeadBytes - 4096,
		DisableGeneralOptionsHandler: true,
		ConnState:                    d.onState,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey, conn)
		},
		// A client's fault is no news, and a fault of the router's own has its line in the access log.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return d
}

// Serve serves until the drain.
func (d *DataServer) Serve(listener net.Listener) error {
	if d.isFenced {
		listener = FrontListener{listener}
	}
	if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// #region drain

// Drain stops accepting, lets the requests under way finish, and cuts what is left after the time for it.
func (d *DataServer) Drain(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	// To net/http, a connection that has not sent a byte yet is busy for its first five seconds.
	d.mu.Lock()
	silent := d.silent
	d.silent = map[net.Conn]bool{}
	d.mu.Unlock()
	for conn := range silent {
		conn.Close()
	}
	if d.server.Shutdown(ctx) != nil {
		d.server.Close()
	}
}

// #endregion drain

func (d *DataServer) onState(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == http.StateNew {
		d.silent[conn] = true
	} else {
		delete(d.silent, conn)
	}
}
