package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const exampleTable = `{
  "$schema": "./routing.schema.json", "version": "1", "defaultPlacement": "tier3",
  "routingTable": { "visa": "visa", "__proto__": "tier1", "münchen-東京": "tier3" },
  "placements": {
    "visa": { "kind": "dedicated", "url": "http://127.0.0.1:9004" },
    "tier1": { "kind": "tier", "url": "http://127.0.0.1:9001" },
    "tier3": { "kind": "tier", "url": "http://127.0.0.1:9003" }
  }
}`

func TestRouteFollowsTheTable(t *testing.T) {
	table, _, faults := decodeTable([]byte("\xef\xbb\xbf"+exampleTable), true)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for key, expected := range map[string]string{
		"visa": "visa dedicated", "__proto__": "tier1 tier", "münchen-東京": "tier3 tier", "VISA": "tier3 default",
		"constructor": "tier3 default", "tier1": "tier3 default", "": "tier3 default",
	} {
		decision := route(table, key)
		if got := fmt.Sprint(decision.Placement.Name, " ", decision.Reason); got != expected {
			t.Errorf("%q goes to %s, expected %s", key, got, expected)
		}
	}
}

func TestStaticTableTakesTheCellsOfItsEnvironment(t *testing.T) {
	table, faults := staticRoutingTable(map[string]string{"tier1": "http://127.0.0.1:1"})
	if len(faults) > 0 || route(table, "acme").Placement.URL != "http://127.0.0.1:1" || route(table, "visa").Placement.URL != "http://127.0.0.1:9004" {
		t.Errorf("%v %v", table, faults)
	}
	if _, faults = staticRoutingTable(map[string]string{"tier1": "http://localhost:9004"}); len(faults) != 1 {
		t.Errorf("a tier on the dedicated cell: %v", faults)
	}
}

func TestFaultsAreNamedWithTheirPaths(t *testing.T) {
	// What is changed in the document, and the fault that must be found.
	for _, each := range []struct{ old, new, fault string }{
		{`"version": "1", `, ``, `version: missing; expected a string`},
		{`"version": "1"`, `"version": 7`, `version: expected a string, got 7`},
		{`"version": "1"`, `"version": ""`, `version: must not be empty`},
		{`"defaultPlacement": "tier3"`, `"defaultPlacement": "tier9"`, `defaultPlacement: unknown placement "tier9"`},
		{`"defaultPlacement": "tier3"`, `"defaultPlacement": "visa"`, `defaultPlacement: "visa" is one tenant's own; name a tier`},
		{`"visa": "visa"`, `"": "visa"`, `routingTable[""]: must not be empty`},
		{`"visa": "visa"`, `" visa": "visa"`, `routingTable[" visa"]: no request can carry this key`},
		{`"visa": "visa"`, `"vi\nsa": "visa"`, `routingTable["vi\nsa"]: no request can carry this key`},
		{`"visa": "visa"`, `"vi\ufffdsa": "visa"`, `no request can carry this key`},
		{`"visa": "visa"`, `"` + strings.Repeat("é", 129) + `": "visa"`, `a routing key has at most 256 bytes`},
		{`"visa": "visa"`, `"visa": ["visa"]`, `routingTable.visa: expected a string, got a list`},
		{`"visa": "visa"`, `"visa": "visa", "\u0076isa": "tier1"`, `routingTable.visa: is there more than once`},
		{`{ "kind": "tier", "url": "http://127.0.0.1:9001" }`, `null`, `placements.tier1: expected an object, got null`},
		{`"kind": "tier", "url": "http://127.0.0.1:9001"`, `"kind": "tier"`, `placements.tier1.url: missing; expected a string`},
		{`"kind": "tier", "url": "http://127.0.0.1:9001"`, `"kind": "shared", "url": "http://127.0.0.1:9001"`, `placements.tier1.kind: expected "dedicated" or "tier", got "shared"`},
		{`"kind": "tier", "url": "http://127.0.0.1:9001"`, `"kind": "tier", "url": "http://127.0.0.1:9001", "ur": 1`, `placements.tier1.ur: unknown property`},
		{`"tier1": {`, `"a\r\nb": {`, `placements["a\r\nb"]: a placement's name has up to 64`},
		{`http://127.0.0.1:9001`, `http://127.0.0.1:9004`, `placements.tier1.url: "http://127.0.0.1:9004" is the endpoint of "visa": "tier1" would share`},
		{`http://127.0.0.1:9001`, `http://LOCALHOST.:9004`, `placements.tier1.url: "http://localhost.:9004" leads to "http://127.0.0.1:9004", the endpoint of "visa"`},
		{`"version"`, `"placments": {}, "version"`, `placments: unknown property`},
		{`"version": "1"`, `"version": "1`, `(document): not JSON`},
		{`"version": "1"`, "\"version\": \"\xff\"", `(document): not JSON: bytes that are not UTF-8`},
		{`"version": "1"`, `"version": ` + strings.Repeat("[", 100_000), `(document): nested deeper than 16 levels`},
		{`"version": "1"`, `"version": [` + strings.Repeat("1,", 1000) + `1]`, `(document): a list of more than 1000 elements`},
	} {
		text := strings.Replace(exampleTable, each.old, each.new, 1)
		_, _, faults := decodeTable([]byte(text), true)
		if len(faults) == 0 || !strings.Contains(strings.Join(faults, "\n"), each.fault) {
			t.Errorf("%s\n  found %q", each.fault, faults)
		}
	}
	for _, text := range []string{"", "{}{}", "42", "null", "[]", "\x00\x00"} {
		if _, _, faults := decodeTable([]byte(text), true); len(faults) == 0 {
			t.Errorf("%q is taken for a table", text)
		}
	}
}

func TestAllFaultsAreNamedAtOnceAndCounted(t *testing.T) {
	var keys []string
	for n := range 250 {
		keys = append(keys, fmt.Sprintf(`"t%d": "tier9"`, n))
	}
	_, _, faults := decodeTable([]byte(strings.Replace(exampleTable, `"visa": "visa"`, strings.Join(keys, ","), 1)), true)
	if len(faults) != 101 || faults[100] != "… and 150 more" {
		t.Errorf("%d faults, at last %q", len(faults), faults[len(faults)-1])
	}
}

func TestResilienceSettings(t *testing.T) {
	withSettings := func(settings string) string {
		return strings.Replace(exampleTable, `"http://127.0.0.1:9001"`, `"http://127.0.0.1:9001", `+settings, 1)
	}
	for settings, fault := range map[string]string{
		`"rateLimit": {"ratePerSecond": 0, "burst": 1}`:   "placements.tier1.rateLimit.ratePerSecond: expected more than 0",
		`"rateLimit": {"ratePerSecond": 1, "burst": 0.5}`: "placements.tier1.rateLimit.burst: expected at least 1",
		`"rateLimit": {"ratePerSecond": 1}`:               "placements.tier1.rateLimit.burst: missing; expected a number",
		`"concurrencyLimit": 1.5`:                         "placements.tier1.concurrencyLimit: expected a whole number, got 1.5",
		`"concurrencyLimit": 0`:                           "placements.tier1.concurrencyLimit: expected at least 1",
		`"health": {"path": "health"}`:                    "placements.tier1.health.path: a path begins with one /",
		`"health": {"path": "//elsewhere.test/"}`:         "placements.tier1.health.path",
		`"health": {"path": "/\\elsewhere.test/"}`:        "placements.tier1.health.path",
		`"health": {"intervalMs": "2s"}`:                  `placements.tier1.health.intervalMs: expected a number, got "2s"`,
		`"circuitBreaker": {"failureRatio": 50}`:          "placements.tier1.circuitBreaker.failureRatio: expected at most 1",
		`"circuitBreaker": {"failures": 5}`:               "placements.tier1.circuitBreaker.failures: unknown property",
		`"retries": {"maxRetries": 3}`:                    "placements.tier1.retries.maxRetries: expected at most 2",
		`"fallback": "tier3"`:                             "placements.tier1.fallback: expected a list",
		`"fallback": ["visa"]`:                            "placements.tier1.fallback.0: Remove",
	} {
		_, _, faults := decodeTable([]byte(withSettings(settings)), true)
		if len(faults) != 1 || !strings.HasPrefix(faults[0], fault) {
			t.Errorf("%s: %q", settings, faults)
		}
	}
	table, _, faults := decodeTable([]byte(withSettings(`"circuitBreaker": {}, "retries": {"baseMs": 1}, "health": {"path": "/"}`)), true)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	placement := table.Placements["tier1"]
	if *placement.CircuitBreaker != defaultCircuitBreaker || placement.Retries.MaxRetries != 2 || placement.Health.Fall != 3 {
		t.Errorf("defaults: %+v", placement)
	}
	if _, _, faults = decodeTable([]byte(withSettings(`"retries": {}`)), false); len(faults) != 1 {
		t.Errorf("m2 takes m4's settings: %v", faults)
	}
}

func TestEndpointsAreOneWhereTheyDialOne(t *testing.T) {
	for _, url := range []string{
		"http://localhost", "http://LOCALHOST.:80", "http://127.1", "http://0x7f000001", "http://0.0.0.0", "http://[::1]", "http://[::]",
		"http://[::ffff:127.0.0.1]:80", "http://a.localhost", "http://2130706433",
	} {
		if _, hostPort, ok := readOrigin(url); !ok || dialledAt(hostPort) != "loopback:80" {
			t.Errorf("%s dials %q", url, hostPort)
		}
	}
	for url, origin := range map[string]string{
		"http://Cell.Example:8080": "http://cell.example:8080", "http://10.1": "http://10.0.0.1", "http://a:80": "http://a",
		"http://[2001:DB8::1]:81": "http://[2001:db8::1]:81",
	} {
		if got, _, ok := readOrigin(url); !ok || got != origin {
			t.Errorf("%s becomes %s, expected %s", url, got, origin)
		}
	}
	for _, url := range []string{
		"not a url", "127.0.0.1:9001", "https://a", "ftp://a", "http://a/", "http://a?b", "http://a#b", "http://u:p@a", "http://", "http://a:0",
		"http://a:70000", "http://a:", "http://127.0.0.1:9001\\@b", "http://a :1", " http://a", "http://1.2.3.4.5", "http://256.1.1.1", "http://a%20b",
		"http://[::1", "http://ü", "http://:80", "http://1.2.3.4.5.",
		"http://*:1", "http://%2a:1", "http://$HOST:1", "http://it's:1", "http://a;b:1", "http://a{b}:1",
	} {
		if origin, _, ok := readOrigin(url); ok {
			t.Errorf("%q is taken for %s", url, origin)
		}
	}
}

func TestChecksumIsThatOfTheCanonicalForm(t *testing.T) {
	// printf '{"a":[1,true,null],"b":"ü"}' | sha256sum
	const expected = "0556012393cc2bd7c99513896d3275364f0917f53eb68ec2c1831ae45e53c72b"
	for _, text := range []string{`{"a":[1,true,null],"b":"ü"}`, ` { "b" : "\u00fc" , "a" : [ 1.0, true , null ] } `} {
		document, faults := readJSON([]byte(text))
		if got := checksumOf(document); got != expected || len(faults) > 0 {
			t.Errorf("%s: %s %v", text, got, faults)
		}
	}
}

// As JSON.stringify writes it, with members in the order of UTF-16.
func TestCanonicalFormIsJavaScripts(t *testing.T) {
	for text, expected := range map[string]string{
		`{"\u20ac":0,"\r":0,"\ufb33":0,"1":0,"\ud83d\ude00":0,"\u0080":0,"\u00f6":0}`: "{\"\\r\":0,\"1\":0,\"\u0080\":0,\"ö\":0,\"€\":0,\"😀\":0,\"\ufb33\":0}",
		`["<>&\u2028\u2029\\u2028\u007f\u0001\b\f\/"]`:                                "[\"<>&\u2028\u2029\\\\u2028\u007f\\u0001\\b\\f/\"]",
		`[1e21,1e20,1E-7,0.000001,-0.0,1.50,123456789012345678]`:                      `[1e+21,100000000000000000000,1e-7,0.000001,0,1.5,123456789012345680]`,
	} {
		document, _ := readJSON([]byte(text))
		if canonical := canonicalJSON(document); canonical != expected || !json.Valid([]byte(canonical)) {
			t.Errorf("%s, expected %s", canonical, expected)
		}
	}
}

func TestSettingsNameEveryFault(t *testing.T) {
	read := func(pairs ...string) (Settings, error) {
		return readSettings(func(name string) (string, bool) {
			for at := 0; at < len(pairs); at += 2 {
				if pairs[at] == name {
					return pairs[at+1], true
				}
			}
			return "", false
		})
	}
	settings, err := read()
	if err != nil || settings.Host != "127.0.0.1" || settings.Port != 8080 || settings.Threads != 1 || !settings.Front {
		t.Errorf("%+v %v", settings, err)
	}
	_, err = read("PORT", "70000", "LOG_LEVEL", "loud", "STAGE", "m9", "HEAD_TIMEOUT_MS", "1e3", "THREADS", "two")
	for _, fault := range []string{`PORT="70000": expected a port`, `LOG_LEVEL="loud"`, `STAGE="m9"`, `HEAD_TIMEOUT_MS="1e3"`, `THREADS="two"`} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s is not named: %v", fault, err)
		}
	}
	for _, port := range []string{"", " ", "http", "-1", "80.5", "0x50", "1e3", "+80"} {
		if _, err := read("PORT", port); err == nil {
			t.Errorf("PORT=%q is taken", port)
		}
	}
	for _, cells := range []string{"visa", "visa=", "visa=https://a:1", "=http://a:1", "vsia=http://a:1", "visa=http://a:1/path", "visa=http://a:99999"} {
		if _, err := read("CELLS", cells); err == nil {
			t.Errorf("CELLS=%q is taken", cells)
		}
	}
	if _, err := read("PORT", "1234", "ADMIN_PORT", "1234"); err == nil {
		t.Error("one port is taken for two listeners")
	}
	if settings, _ = read("KEEP_ALIVE_TIMEOUT_MS", "0", "CELLS", "visa=http://a:1, tier1=http://b:2"); settings.KeepAliveTimeout != 0 || settings.Cells["tier1"] != "http://b:2" {
		t.Errorf("%+v", settings)
	}
}
