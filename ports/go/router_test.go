package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testRouter is a whole router in this process, on free ports, in front of one raw cell.
type testRouter struct {
	t       *testing.T
	address string
	log     *logBuffer
	server  *DataServer
	store   *TableStore
	proxy   *ProxyHandler
}

// logBuffer is a place for a log that can be read meanwhile.
type logBuffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

// line waits for the access log's line with this request id.
func (b *logBuffer) line(t *testing.T, requestID string) (entry map[string]any) {
	t.Helper()
	eventually(t, fmt.Sprintf("a line in the log for %q", requestID), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for line := range strings.Lines(b.bytes.String()) {
			entry = map[string]any{}
			if json.Unmarshal([]byte(line), &entry) == nil && entry["requestId"] == requestID {
				return true
			}
		}
		return false
	})
	return entry
}

type routerOptions struct {
	isStock bool
	limits  UpstreamLimits
	// Members of the only placement, beside its kind and URL.
	settings string
	// Changes the router before it starts.
	plant func(proxy *ProxyHandler, attempts *Attempts)
}

// startRouter starts a router whose keys all lead to `cell`.
func startRouter(t *testing.T, cell string, options routerOptions) *testRouter {
	t.Helper()
	if options.limits == (UpstreamLimits{}) {
		options.limits = defaultUpstreamLimits
	}
	r := &testRouter{t: t, log: &logBuffer{}, store: &TableStore{}}
	writer := newLogWriter(r.log)
	logger := newLogger(writer, logLevels["info"])
	upstreams := newUpstreams(options.limits, !options.isStock)
	health, resilience := resilienceFor(r.store, &Events{}, logger)
	metrics := newMetrics(resilience, health.IsHealthy, writer.Dropped)
	attempts := &Attempts{resilience: resilience, metrics: metrics, random: half, send: upstreams.attempt}
	accessLog := &AccessLog{logger: logger, listeners: []func(*AccessEntry){metrics.RequestEnded}}
	r.proxy = newProxyHandler(r.store, resilience, attempts, accessLog, newRequestID)
	if options.plant != nil {
		options.plant(r.proxy, attempts)
	}
	r.server = newDataServer(r.proxy, time.Minute, !options.isStock)
	table, _, faults := decodeTable(fmt.Appendf(nil, `{"version": "1", "defaultPlacement": "tier1", "routingTable": {},
		"placements": {"tier1": {"kind": "tier", "url": "http://%s"%s}}}`, cell, options.settings), true)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	r.store.Swap(table)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	go r.server.Serve(listener)
	t.Cleanup(func() {
		r.server.Drain(time.Second)
		health.Close()
		writer.End()
	})
	return r
}

// rawCell serves each connection with `serve`, and returns its address.
func rawCell(t *testing.T, serve func(conn net.Conn, requests *bufio.Reader)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return listener.Addr().String()
}

// echoCell answers each whole request with its method, path and body.
func echoCell(t *testing.T) string {
	return rawCell(t, func(conn net.Conn, requests *bufio.Reader) {
		for {
			request, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			body, err := io.ReadAll(request.Body)
			if err != nil {
				return
			}
			text := fmt.Sprint(request.Method, " ", request.RequestURI, " ", string(body))
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
	})
}

type testClient struct {
	net.Conn
	t      *testing.T
	reader *bufio.Reader
}

func (r *testRouter) connect() *testClient {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &testClient{conn, r.t, bufio.NewReader(conn)}
}

func (c *testClient) send(text string) *testClient {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// response reads one response with its body; the status is 0 when the connection ends in its place.
func (c *testClient) response() (status int, body string, header http.Header) {
	c.t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err.Error(), nil
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, "cut: " + string(text), response.Header
	}
	return response.StatusCode, string(text), response.Header
}

const requestFields = "Host: a\r\nX-Routing-Key: acme\r\n"

// net/http forgets the rest of a body when the two bodies of an exchange may overlap (EnableFullDuplex): a chunk of it would be the
// next request. It also reads from two goroutines then, and panics.
func TestTheRestOfAnUploadNeverBecomesARequest(t *testing.T) {
	for _, isStock := range []bool{false, true} {
		for _, fields := range []string{"Content-Length: 200\r\n", "Transfer-Encoding: chunked\r\n"} {
			t.Run(fmt.Sprintf("stock %v, %s", isStock, fields[:8]), func(t *testing.T) {
				early := rawCell(t, func(conn net.Conn, requests *bufio.Reader) {
					http.ReadRequest(requests)
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
					io.Copy(io.Discard, requests)
				})
				router := startRouter(t, early, routerOptions{isStock: isStock})
				client := router.connect().send("POST /first HTTP/1.1\r\n" + requestFields + fields + "\r\n64\r\nsome of it")
				if status, body, _ := client.response(); status != 200 || body != "early" {
					t.Fatalf("%d %s", status, body)
				}
				io.WriteString(client, "GET /smuggled HTTP/1.1\r\n"+requestFields+"\r\n")
				if status, body, _ := client.response(); status != 0 {
					t.Errorf("the rest of the upload was answered: %d %s", status, body)
				}
			})
		}
	}
}

// Transport puts a connection back into its pool before it has looked at what else has come: another request could have that for
// its response.
func TestWhatACellSendsTooMuchIsNobodysResponse(t *testing.T) {
	cell := rawCell(t, func(conn net.Conn, requests *bufio.Reader) {
		for {
			request, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
				len(request.RequestURI), request.RequestURI)
		}
	})
	router := startRouter(t, cell, routerOptions{})
	var clients sync.WaitGroup
	for n := range 100 {
		clients.Go(func() {
			client := router.connect()
			for m := range 100 {
				path := fmt.Sprintf("/%d/%d", n, m)
				client.send("GET " + path + " HTTP/1.1\r\n" + requestFields + "\r\n")
				if status, body, _ := client.response(); status != 200 || body != path {
					t.Errorf("%s got %d %s", path, status, body)
					return
				}
			}
		})
	}
	clients.Wait()
}

func TestAPieceOfAChunkDoesNotWaitForTheRestOfIt(t *testing.T) {
	arrived := make(chan string, 1)
	cell := rawCell(t, func(conn net.Conn, requests *bufio.Reader) {
		request, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		piece := make([]byte, 100)
		n, _ := io.ReadAtLeast(request.Body, piece, 4)
		arrived <- string(piece[:n])
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\ndown")
		io.Copy(io.Discard, requests)
	})
	router := startRouter(t, cell, routerOptions{})
	client := router.connect().send("POST / HTTP/1.1\r\n" + requestFields + "Transfer-Encoding: chunked\r\n\r\n100\r\nup to the cell")
	// As Transport frames it anew, all that has come is one chunk for the cell.
	select {
	case piece := <-arrived:
		if piece != "up to the cell" {
			t.Errorf("the cell has %q", piece)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing has reached the cell")
	}
	response, err := http.ReadResponse(client.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 4)
	if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != "down" {
		t.Errorf("the client has %q, %v", piece, err)
	}
}

// plantedFault panics in one place at a time.
type plantedFault struct{ at atomic.Pointer[string] }

func (f *plantedFault) move(to string) { f.at.Store(&to) }

func (f *plantedFault) here(place string) {
	if at := f.at.Load(); at != nil && *at == place {
		panic("planted in " + place)
	}
}

func TestAPanicCostsOneRequest(t *testing.T) {
	fault := &plantedFault{}
	router := startRouter(t, echoCell(t), routerOptions{
		settings: `, "concurrencyLimit": 1, "circuitBreaker": {"consecutiveFailures": 1}`,
		plant: func(proxy *ProxyHandler, attempts *Attempts) {
			send, modifyResponse := attempts.send, proxy.reverse.ModifyResponse
			attempts.send = func(outgoing *http.Request, target *Placement) (*http.Response, *AttemptFailure) {
				fault.here("the attempt")
				return send(outgoing, target)
			}
			attempts.random = func() float64 { fault.here("chance"); return 0 }
			proxy.reverse.ModifyResponse = func(response *http.Response) error {
				fault.here("the response's fields")
				return modifyResponse(response)
			}
		},
	})
	client := router.connect()
	for _, place := range []string{"the attempt", "the response's fields"} {
		fault.move(place)
		id := strings.ReplaceAll(place, " ", "-")[:10]
		client.send("GET / HTTP/1.1\r\n" + requestFields + "X-Request-Id: " + id + "\r\n\r\n")
		status, body, header := client.response()
		if status != 500 || !strings.Contains(body, `"router-fault"`) || strings.Contains(body, "planted") || header.Get("X-Request-Id") != id {
			t.Errorf("%d %s", status, body)
		}
		if line := router.log.line(t, id); line["code"] != "router-fault" || !strings.Contains(fmt.Sprint(line["cause"]), place) {
			t.Errorf("%v", line)
		}
		// The only place has been given back, the cell is not blamed, and the connection serves on.
		fault.move("nowhere")
		client.send("GET /next HTTP/1.1\r\n" + requestFields + "\r\n")
		if status, body, _ := client.response(); status != 200 || body != "GET /next " {
			t.Errorf("%d %s", status, body)
		}
	}
}

func TestAHeadThatDripsInIsTimedAlsoOnAKeptConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the time limit of a head")
	}
	router := startRouter(t, echoCell(t), routerOptions{})
	client := router.connect().send("GET / HTTP/1.1\r\n" + requestFields + "\r\n")
	client.response()
	startedAt := time.Now()
	go func() {
		for range 30 {
			if _, err := io.WriteString(client, "G"); err != nil {
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
	}()
	status, body, _ := client.response()
	if took := time.Since(startedAt); status != 408 || took < 9*time.Second || took > 14*time.Second {
		t.Errorf("%d %s after %v", status, body, took)
	}
}

func TestACellThatIsLateGets504AndThePathIsSeenOnce(t *testing.T) {
	seen := make(chan string, 10)
	cell := rawCell(t, func(conn net.Conn, requests *bufio.Reader) {
		for {
			request, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			seen <- request.RequestURI
			if request.RequestURI == "/quick" {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}
	})
	limits := defaultUpstreamLimits
	limits.Head = 200 * time.Millisecond
	router := startRouter(t, cell, routerOptions{limits: limits})
	client := router.connect()
	// Over a kept connection, Transport would send the late one again.
	for _, each := range []struct {
		path   string
		status int
	}{{"/quick", 200}, {"/late", 504}, {"/quick", 200}} {
		client.send("GET " + each.path + " HTTP/1.1\r\n" + requestFields + "\r\n")
		if status, body, _ := client.response(); status != each.status {
			t.Errorf("%s: %d %s", each.path, status, body)
		}
	}
	if len(seen) != 3 {
		t.Errorf("the cell has seen %d requests", len(seen))
	}
}
