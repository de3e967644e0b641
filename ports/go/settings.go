// What can be set from outside, by environment variables. Every fault is named before anything starts.

package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Stage is the milestone whose router this one is.
type Stage string

const (
	stageM1 Stage = "m1"
	stageM2 Stage = "m2"
	stageM4 Stage = "m4"
)

// #region settings

// Settings are those of the stages, and three of this port: STAGE, FRONT and THREADS.
type Settings struct {
	// Which milestone's router to be.
	Stage Stage
	// Whether the strict readers stand around net/http.
	Front bool
	// GOMAXPROCS.
	Threads int

	// Address to listen on. Loopback unless told otherwise: the router trusts whoever can reach it.
	Host string
	// Port for clients; 0 takes any free one.
	Port int
	// Port for operators, on loopback; 0 takes any free one. From m2 on.
	AdminPort int
	LogLevel  slog.Level
	// From a request's end to the head of its response. A long poll needs more. 0: no limit, as for the next two.
	HeadTimeout time.Duration
	// Silence inside a response's body. A quiet event stream needs more.
	BodyIdleTimeout time.Duration
	// An idle client connection; above the 60 s of common load balancers, so that they close first.
	KeepAliveTimeout time.Duration
	// Endpoints by placement, of m1.
	Cells map[string]string
	// The routing table, from m2 on. Relative paths start at the working directory.
	RoutingFile string
}

// readSettings names every fault in its error, one per line.
func readSettings(environment func(name string) (string, bool)) (Settings, error) {
	r := &settingsReader{environment: environment}
	settings := Settings{
		Stage:            Stage(r.oneOf("STAGE", "m4", "m1", "m2", "m4")),
		Front:            r.oneOf("FRONT", "on", "on", "off") == "on",
		Threads:          r.number("THREADS", 1, 1, 1024, "a whole number"),
		Host:             r.text("HOST", "127.0.0.1", "expected an address of this machine"),
		Port:             r.number("PORT", 8080, 0, 65_535, "a port"),
		AdminPort:        r.number("ADMIN_PORT", 8082, 0, 65_535, "a port"),
		LogLevel:         logLevels[r.oneOf("LOG_LEVEL", "info", "fatal", "error", "warn", "info", "debug", "trace", "silent")],
		HeadTimeout:      r.limit("HEAD_TIMEOUT_MS", 10_000),
		BodyIdleTimeout:  r.limit("BODY_IDLE_TIMEOUT_MS", 30_000),
		KeepAliveTimeout: r.limit("KEEP_ALIVE_TIMEOUT_MS", 65_000),
		Cells:            r.cells(),
		RoutingFile:      r.text("ROUTING_FILE", defaultRoutingFile(), "expected the path of a file"),
	}
	if settings.Stage != stageM1 && settings.Port == settings.AdminPort && settings.Port != 0 {
		r.faults = append(r.faults, "PORT and ADMIN_PORT are the same; set one of them to another port")
	}
	if url := r.text("CONTROL_PLANE_URL", "off", ""); url != "off" && url != "" && settings.Stage == stageM4 {
		r.fault("CONTROL_PLANE_URL", url, "this port follows a file only; set it to off")
	}
	if len(r.faults) > 0 {
		return Settings{}, fmt.Errorf("%s", strings.Join(r.faults, "\n"))
	}
	return settings, nil
}

// #endregion settings

// defaultRoutingFile is the one beside the program.
func defaultRoutingFile() string {
	program, err := os.Executable()
	if err != nil {
		return "routing.json"
	}
	return filepath.Join(filepath.Dir(program), "routing.json")
}

type settingsReader struct {
	environment func(name string) (string, bool)
	faults      []string
}

func (r *settingsReader) fault(name, value, words string) {
	// A secret does not belong in a log.
	if strings.Contains(value, "@") {
		r.faults = append(r.faults, name+": "+words)
		return
	}
	r.faults = append(r.faults, fmt.Sprintf("%s=%q: %s", name, value, words))
}

func (r *settingsReader) text(name, otherwise, whatIsRight string) string {
	value, ok := r.environment(name)
	if !ok {
		return otherwise
	}
	if value == "" && whatIsRight != "" {
		r.fault(name, value, whatIsRight)
	}
	return value
}

func (r *settingsReader) oneOf(name, otherwise string, words ...string) string {
	value := r.text(name, otherwise, "")
	for _, word := range words {
		if value == word {
			return value
		}
	}
	r.fault(name, value, "expected one of "+strings.Join(words, ", "))
	return otherwise
}

// number reads digits, and nothing else.
func (r *settingsReader) number(name string, otherwise, min, max int, what string) int {
	value, ok := r.environment(name)
	if !ok {
		return otherwise
	}
	number, err := strconv.Atoi(value)
	if err != nil || !isDigits(value, 15) || number < min || number > max {
		r.fault(name, value, fmt.Sprintf("expected %s from %d to %d", what, min, max))
		return otherwise
	}
	return number
}

func (r *settingsReader) limit(name string, otherwise int) time.Duration {
	value, ok := r.environment(name)
	if ok && !isDigits(value, 9) {
		r.fault(name, value, "expected milliseconds, 0 to turn the limit off")
		return 0
	}
	return time.Duration(r.number(name, otherwise, 0, 999_999_999, "milliseconds")) * time.Millisecond
}

// cells reads `visa=http://127.0.0.1:9004,…`.
func (r *settingsReader) cells() map[string]string {
	cells := map[string]string{}
	text := r.text("CELLS", "", "")
	for at, pair := range strings.Split(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, url, _ := strings.Cut(pair, "=")
		name, url = strings.TrimSpace(name), strings.TrimSpace(url)
		_, _, isOrigin := readOrigin(url)
		if name != "visa" && name != "tier1" && name != "tier2" && name != "tier3" || !isOrigin {
			r.fault("CELLS", text, fmt.Sprintf(
				"Write each cell as name=http://host:port, where name is one of visa, tier1, tier2, tier3; entry %d is not", at+1))
			return nil
		}
		cells[name] = url
	}
	return cells
}
