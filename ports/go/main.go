// Command router is the router of this workbook on Go's standard library: net/http in front, httputil.ReverseProxy in the middle,
// http.Transport behind.
//
// Starts the router: reads the settings, wires the parts, and stops cleanly on a signal. Holds no rule of its own.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	// Without this, a log whose reader has left would end the process.
	signal.Ignore(syscall.SIGPIPE)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "Cannot start:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run returns an error when the router cannot start, and nil when it has stopped.
func run() error {
	settings, err := readSettings(os.LookupEnv)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(settings.Threads)
	logWriter := newLogWriter(os.Stdout)
	logger := newLogger(logWriter, settings.LogLevel)
	// Here net/http says what it has nobody to tell: of a response that nobody asked for, say.
	slog.SetDefault(logger.logger)
	slog.SetLogLoggerLevel(slog.LevelDebug)
	log.SetFlags(0)

	store := &TableStore{}
	limits := defaultUpstreamLimits
	limits.Head, limits.BodyIdle = settings.HeadTimeout, settings.BodyIdleTimeout
	upstreams := newUpstreams(limits, settings.Front)
	store.Subscribe(func(next *Snapshot) { upstreams.RetainOnly(endpointsOf(next.Table)) })
	events := &Events{}
	health, resilience := resilienceFor(store, events, logger)
	metrics := newMetrics(resilience, health.IsHealthy, logWriter.Dropped)

	following, stopFollowing := context.WithCancel(context.Background())
	defer stopFollowing()
	source, err := startSource(following, settings, store, logger)
	if err != nil {
		return err
	}
	accessLog := &AccessLog{logger: logger, listeners: []func(*AccessEntry){metrics.RequestEnded, events.RequestEnded}}
	attempts := &Attempts{resilience: resilience, metrics: metrics, random: random.Float64, send: upstreams.attempt}
	proxy := newProxyHandler(store, resilience, attempts, accessLog, newRequestID)
	server := newDataServer(proxy, settings.KeepAliveTimeout, settings.Front)

	var accepting atomic.Bool
	admin := newAdminServer()
	ready := map[string]string{"event": "ready"}
	if settings.Stage != stageM1 {
		serveAdmin(admin, settings, &accepting, store, source, metrics, events)
		port, err := admin.Listen(settings.AdminPort)
		if err != nil {
			return listenFault(err, settings.Host, "ADMIN_PORT", settings.AdminPort)
		}
		ready["adminUrl"] = "http://127.0.0.1:" + strconv.Itoa(port)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port)))
	if err != nil {
		return listenFault(err, settings.Host, "PORT", settings.Port)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	ready["url"] = "http://" + net.JoinHostPort(settings.Host, strconv.Itoa(port))

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go server.Serve(listener)
	accepting.Store(true)
	line, _ := json.Marshal(ready)
	logWriter.Write(append(line, '\n'))

	logger.Info("stopping", slog.String("signal", signalName(<-stop)))
	accepting.Store(false)
	stopFollowing()
	events.Close()
	server.Drain(drainTimeout)
	health.Close()
	admin.Close()
	logger.Info("stopped")
	logWriter.End()
	return nil
}

// newRequestID makes an id for a request that brought none. In small letters: nobody can take it for an error code of the system.
func newRequestID() string { return strings.ToLower(rand.Text()) }

// startSource takes the table from where the stage takes it; nil where that is this program.
func startSource(ctx context.Context, settings Settings, store *TableStore, logger *Logger) (*FileSource, error) {
	if settings.Stage == stageM1 {
		table, faults := staticRoutingTable(settings.Cells)
		if len(faults) > 0 {
			return nil, fmt.Errorf("CELLS=%q: %s", os.Getenv("CELLS"), faults[0])
		}
		store.Swap(table)
		return nil, nil
	}
	source := newFileSource(settings.RoutingFile, settings.Stage == stageM4, store, logger)
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	if err := source.Start(); err != nil {
		return nil, err
	}
	go source.Follow(ctx)
	go func() {
		for range hangUps {
			source.Reload()
		}
	}()
	return source, nil
}

// resilienceFor is the resilience side of the wiring: what follows the table, and who hears of its changes.
func resilienceFor(store *TableStore, events *Events, logger *Logger) (*HealthChecker, *Resilience) {
	changed := func(what, placement, to, from string) {
		logger.Warn(what+"-changed", slog.String("placement", placement), slog.String("to", to), slog.String("from", from))
		events.Emit(Event{what, map[string]any{"placement": placement, "to": to, "from": from}})
	}
	health := &HealthChecker{
		probe: healthProbe(), random: random.Float64, onFault: logger.Fault,
		onTransition: func(placement string, to, from HealthState) { changed("health", placement, to.Kind(), from.Kind()) },
	}
	resilience := newResilience(health.IsHealthy, func(placement string, to, from BreakerKind) {
		changed("breaker", placement, string(to), string(from))
	}, logger.Fault)
	store.Subscribe(func(next *Snapshot) {
		resilience.Update(next.Table, time.Now())
		health.Update(next.Table.PlacementList)
		events.Emit(Event{"table", map[string]any{"version": next.Table.Version, "sequence": next.Sequence}})
	})
	return health, resilience
}

func serveAdmin(
	admin *AdminServer, settings Settings, accepting *atomic.Bool, store *TableStore, source *FileSource, metrics *Metrics,
	events *Events,
) {
	admin.Get("/healthz", false, func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	admin.Get("/readyz", false, func(w http.ResponseWriter, _ *http.Request) {
		isReady, status := accepting.Load() && store.Current() != nil, http.StatusOK
		if !isReady {
			status = http.StatusServiceUnavailable
		}
		sendJSON(w, status, map[string]any{"ready": isReady})
	})
	admin.Get("/debug/config", false, func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, http.StatusOK, struct {
			SourceStatus
			Overview
		}{source.Status(), overviewOf(store)})
	})
	if settings.Stage == stageM4 {
		admin.Get("/metrics", false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", metricsContentType)
			metrics.WriteText(w)
		})
		admin.Get("/events", true, events.Watch)
	}
}

// Overview is the table in use, without the routing keys: they can be many, and they are tenants' names.
type Overview struct {
	DefaultPlacement string       `json:"defaultPlacement"`
	Placements       []*Placement `json:"placements"`
	RoutingKeys      int          `json:"routingKeys"`
}

func overviewOf(store *TableStore) Overview {
	table := store.Current().Table
	return Overview{table.DefaultPlacement.Name, table.PlacementList, len(table.PlacementByKey)}
}

func endpointsOf(table *RoutingTable) map[string]bool {
	urls := map[string]bool{}
	for _, placement := range table.PlacementList {
		urls[placement.URL] = true
	}
	return urls
}

// listenFault says why an address could not be had, and what to change.
func listenFault(err error, host, name string, port int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s=%d is in use; set %s to a free port.", name, port, name)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s=%d needs privileges that this user does not have; set %s to 1024 or higher.", name, port, name)
	}
	return fmt.Errorf("HOST=%q is not an address of this machine; set HOST to 127.0.0.1 or to one of its addresses.", host)
}

func signalName(signal os.Signal) string {
	if signal == syscall.SIGINT {
		return "SIGINT"
	}
	return "SIGTERM"
}
