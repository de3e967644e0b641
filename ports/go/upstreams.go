// Connection pools by endpoint: how connections to cells are made, kept and closed. http.Transport is the pool; what travels
// over a connection is the business of `attempt.go`, and how long it may take that of `cell_connection.go`.

package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// UpstreamLimits are times towards cells; 0 for no limit where it says so.
type UpstreamLimits struct {
	// For a TCP connection to a cell.
	Connect time.Duration
	// From the end of the request to the head of the response; or 0.
	Head time.Duration
	// Between two pieces of a response's body while the client keeps reading; or 0.
	BodyIdle time.Duration
	// How long a cell may take nothing of a request body that waits for it.
	Stalled time.Duration
	// How long an idle connection is kept: less than the 5 s after which Node's servers close.
	KeepAlive time.Duration
}

var defaultUpstreamLimits = UpstreamLimits{
	Connect:   5 * time.Second,
	Head:      10 * time.Second,
	BodyIdle:  30 * time.Second,
	Stalled:   12 * time.Second,
	KeepAlive: 4 * time.Second,
}

// #region upstreams

// Upstreams holds one pool for each endpoint.
type Upstreams struct {
	limits   UpstreamLimits
	isFenced bool
	dialer   net.Dialer

	mu    sync.Mutex
	pools map[string]*http.Transport
}

func newUpstreams(limits UpstreamLimits, isFenced bool) *Upstreams {
	return &Upstreams{
		limits:   limits,
		isFenced: isFenced,
		dialer:   net.Dialer{Timeout: limits.Connect},
		pools:    map[string]*http.Transport{},
	}
}

// PoolFor is the pool of one endpoint, made when it is first asked for.
func (u *Upstreams) PoolFor(url string) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	if pool, ok := u.pools[url]; ok {
		return pool
	}
	pool := &http.Transport{
		DialContext:            u.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdleConnsPerEndpoint,
		IdleConnTimeout:        u.limits.KeepAlive,
		MaxResponseHeaderBytes: maxHeadBytes,
		WriteBufferSize:        bufferBytes,
		ReadBufferSize:         bufferBytes,
	}
	u.pools[url] = pool
	return pool
}

const (
	// As many as the requests of a busy moment; KeepAlive closes what is too many.
	maxIdleConnsPerEndpoint = 4096
	bufferBytes             = 16 * 1024
)

// RetainOnly closes every pool whose endpoint is not in urls. A request that is under way keeps its connection to the end.
func (u *Upstreams) RetainOnly(urls map[string]bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for url, pool := range u.pools {
		if !urls[url] {
			delete(u.pools, url)
			// From now on, it keeps none that becomes idle, either.
			pool.CloseIdleConnections()
		}
	}
}

func (u *Upstreams) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := u.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &CellConn{Conn: conn, limits: u.limits, isFenced: u.isFenced}, nil
}

// #endregion upstreams
