// The listener towards those who operate the router: what it runs on and whether it is ready. Bound to loopback whatever `HOST`
// says, because it shows what clients must not see. What it responds is registered by the wiring.

package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Nobody uploads anything here.
	adminRequestTimeout = 10 * time.Second
	// More than the 15 s between two signs of life on `/events`.
	adminIdleTimeout = 30 * time.Second
	// More connections than these take the places of the oldest.
	maxAdminConnections = 128
)

// AdminServer serves the operators.
type AdminServer struct {
	server        http.Server
	routes        map[string]http.HandlerFunc
	paths         []string
	forLocalPages map[string]bool

	mu sync.Mutex
	// In the order in which they came; those between two requests first to go.
	connections []net.Conn
	idle        map[net.Conn]bool
}

func newAdminServer() *AdminServer {
	a := &AdminServer{routes: map[string]http.HandlerFunc{}, forLocalPages: map[string]bool{}, idle: map[net.Conn]bool{}}
	a.server = http.Server{
		Handler:                      a,
		ReadTimeout:                  adminRequestTimeout,
		IdleTimeout:                  adminIdleTimeout,
		DisableGeneralOptionsHandler: true,
		ConnState:                    a.onState,
		ErrorLog:                     log.New(io.Discard, "", 0),
	}
	return a
}

// Get serves `GET path` with route. forLocalPages: pages served from this machine, on whatever port, may read it in a browser.
func (a *AdminServer) Get(path string, forLocalPages bool, route http.HandlerFunc) {
	a.routes[path] = route
	a.paths = append(a.paths, path)
	a.forLocalPages[path] = forLocalPages
}

// Listen returns the bound port.
func (a *AdminServer) Listen(port int) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	go a.server.Serve(listener)
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// Close stops at once: nobody's request is lost with an operator's.
func (a *AdminServer) Close() { a.server.Close() }

func (a *AdminServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(adminIdleTimeout))
	path, _, _ := strings.Cut(r.RequestURI, "?")
	route := a.routes[path]
	isLocalPage := a.forLocalPages[path] && isFromLocalPage(r)
	if isLocalPage {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	}
	switch {
	case !isLocalPage && !isFromOperator(r):
		sendJSON(w, http.StatusForbidden, map[string]any{"error": "Not for web pages; use a program on this machine."})
	case route == nil:
		sendJSON(w, http.StatusNotFound, map[string]any{"error": "Unknown path.", "paths": a.paths})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		sendJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": "Only GET is served here."})
	default:
		route(w, r)
	}
}

// #region operator

var (
	loopbackHost   = regexp.MustCompile(`(?i)^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$`)
	loopbackOrigin = regexp.MustCompile(`(?i)^http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$`)
)

// isFromOperator: a browser on this machine runs pages of strangers, and loopback does not keep them out. `Origin` and
// `Sec-Fetch-Site` betray a page's request to another site. `Host` betrays DNS rebinding: the page's own host name, which
// suddenly leads to 127.0.0.1, so that the browser takes this listener for the page's own site.
// https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header `none`: typed into the address bar
func isFromOperator(r *http.Request) bool {
	_, hasOrigin := r.Header["Origin"]
	site := r.Header.Get("Sec-Fetch-Site")
	return loopbackHost.MatchString(r.Host) && !hasOrigin && (site == "" || site == "none" || site == "same-origin")
}

// isFromLocalPage: a page that this machine serves, such as the workbook's own site: its `Origin` says so, and no page can forge it.
func isFromLocalPage(r *http.Request) bool {
	return loopbackHost.MatchString(r.Host) && loopbackOrigin.MatchString(r.Header.Get("Origin"))
}

// #endregion operator

// #region admin-connections

// onState keeps count of the connections. The newest is always let in: whoever holds connections open must not keep out the
// probe that asks whether this router is alive, or its operator.
func (a *AdminServer) onState(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.connections = append(a.connections, conn)
		a.idle[conn] = true
		if len(a.connections) > maxAdminConnections {
			a.oldest().Close()
		}
	case http.StateActive:
		a.idle[conn] = false
	case http.StateIdle:
		a.idle[conn] = true
	default:
		delete(a.idle, conn)
		for at, each := range a.connections {
			if each == conn {
				a.connections = append(a.connections[:at], a.connections[at+1:]...)
				break
			}
		}
	}
}

// oldest is the connection that has to make room; one between two requests has nothing to lose.
func (a *AdminServer) oldest() net.Conn {
	older := a.connections[:len(a.connections)-1]
	for _, conn := range older {
		if a.idle[conn] {
			return conn
		}
	}
	return older[0]
}

// #endregion admin-connections

func sendJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(err) // Only what this program makes.
	}
	body = append(body, '\n')
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}
