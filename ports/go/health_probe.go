// Sends one health probe. When probes are sent and what their results mean is left to `health_checker.go`.

package main

import (
	"context"
	"io"
	"net/http"
)

// What may be read of a probe's response: nobody looks at it.
const maxProbeBytes = 64 * 1024

// #region health-probe

// healthProbe makes the probe of a health checker: healthy is a response of 2xx.
//
// Each probe opens a connection of its own: over a kept one, a cell that accepts no more connections would look well.
func healthProbe() Probe {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeadBytes},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, url string) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxProbeBytes))
		return err == nil && response.StatusCode >= 200 && response.StatusCode < 300, err
	}
}

// #endregion health-probe
