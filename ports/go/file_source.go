// Keeps the store in step with a file: notices that it may have changed, reads it, and swaps the table when it holds another
// valid one. Whatever else happens to the file, the table in use stays.

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// #region times

const (
	// The path is looked at this often. A write often comes in several steps: the file is read once two looks agree.
	lookInterval = 30 * time.Millisecond
	// A file that is never quiet is read all the same, after this many looks.
	maxSettles = 5
	// The file is read this often without any sign of a change: a clock may be too coarse for one.
	rereadInterval = time.Second
)

// #endregion times

// Twice what a control plane pushes (m3): the same table takes more room when it is laid out for people.
const maxRoutingFileBytes = 32 * 1024 * 1024

// SourceFault says why the file's present content is not in use.
type SourceFault struct {
	At     string   `json:"at"`
	Faults []string `json:"faults"`
}

// SourceStatus is what the router uses, where it came from, and what became of the last attempt to replace it.
type SourceStatus struct {
	Source    string       `json:"source"`
	Path      string       `json:"path"`
	Version   *string      `json:"version"`
	Checksum  *string      `json:"checksum"`
	AppliedAt *string      `json:"appliedAt"`
	LastError *SourceFault `json:"lastError"`
}

// FileSource follows one file.
type FileSource struct {
	path           string
	withResilience bool
	store          *TableStore
	logger         *Logger
	// Somebody wishes to have the file read now.
	requests chan struct{}

	mu     sync.Mutex
	status SourceStatus

	// Of the following goroutine: the bytes last decoded, nil after a read that failed; and what the last look found wrong.
	content   []byte
	suspicion []string
	lastSeen  sight
	watcher   *PathWatcher
}

func newFileSource(path string, withResilience bool, store *TableStore, logger *Logger) *FileSource {
	return &FileSource{
		path: path, withResilience: withResilience, store: store, logger: logger, requests: make(chan struct{}, 1),
		status: SourceStatus{Source: "file", Path: path}, watcher: &PathWatcher{path: path},
	}
}

// Status is what `/debug/config` says.
func (s *FileSource) Status() SourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Start applies the file. The error names every fault.
func (s *FileSource) Start() error {
	// Before the read, not after it: a change during the read asks for another one.
	s.lastSeen = s.watcher.Look()
	s.read()
	if fault := s.Status().LastError; fault != nil {
		return fmt.Errorf("ROUTING_FILE=%q holds no routing table; mend it, or set another one: %s",
			s.path, strings.Join(fault.Faults, "\n"))
	}
	return nil
}

// Reload reads the file now, without waiting for it to be quiet.
func (s *FileSource) Reload() {
	select {
	case s.requests <- struct{}{}:
	default:
	}
}

// #region follow

// Follow keeps the store in step until ctx ends. One read after the other: a slow read of old content can never overwrite what a
// later read found.
func (s *FileSource) Follow(ctx context.Context) {
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	readAt, settles := time.Now(), 0
	for {
		isDue := false
		select {
		case <-ctx.Done():
			return
		case <-s.requests:
			isDue = true
		case <-looks.C:
			if present := s.watcher.Look(); present != s.lastSeen {
				s.lastSeen = present
				settles++
				isDue = settles >= maxSettles
			} else {
				isDue = settles > 0 || time.Since(readAt) >= rereadInterval || s.suspicion != nil
			}
		}
		if isDue {
			readAt, settles = time.Now(), 0
			s.read()
		}
	}
}

// #endregion follow

// #region read

func (s *FileSource) read() {
	content, err := s.watcher.Read(maxRoutingFileBytes)
	if err != nil {
		s.content = nil
		s.suspect([]string{"(file): " + err.Error()})
		return
	}
	if s.content != nil && bytes.Equal(s.content, content) {
		return
	}
	table, checksum, faults := decodeTable(content, s.withResilience)
	if len(faults) > 0 {
		s.content = nil
		if s.suspect(faults) {
			s.content = content
		}
		return
	}
	s.content = content
	s.accept(table, checksum)
}

// suspect rejects the file's content once two looks agree: the first may have met it in the middle of a write.
func (s *FileSource) suspect(faults []string) (isRejected bool) {
	if s.Status().Version != nil && !slices.Equal(faults, s.suspicion) {
		s.suspicion = faults
		return false
	}
	s.suspicion = nil
	s.reject(faults)
	return true
}

func (s *FileSource) accept(table *RoutingTable, checksum string) {
	s.suspicion = nil
	s.mu.Lock()
	s.status.LastError = nil
	isKnown := s.status.Checksum != nil && *s.status.Checksum == checksum
	s.mu.Unlock()
	if isKnown {
		s.logger.Info("routing-unchanged", slog.String("checksum", checksum))
		return
	}
	s.store.Swap(table)
	appliedAt := isoTime(time.Now())
	s.mu.Lock()
	s.status.Version, s.status.Checksum, s.status.AppliedAt = &table.Version, &checksum, &appliedAt
	s.mu.Unlock()
	s.logger.Info("routing-applied", slog.String("version", table.Version), slog.String("checksum", checksum),
		slog.Int("keys", len(table.PlacementByKey)))
}

func (s *FileSource) reject(faults []string) {
	s.mu.Lock()
	// A missing file is read again and again; the log says so once.
	isKnown := s.status.LastError != nil && slices.Equal(s.status.LastError.Faults, faults)
	if !isKnown {
		s.status.LastError = &SourceFault{At: isoTime(time.Now()), Faults: faults}
	}
	s.mu.Unlock()
	if !isKnown {
		s.logger.Error("routing-rejected", slog.String("path", s.path), slog.Any("faults", faults))
	}
}

// #endregion read

// decodeTable turns the bytes of a file into a routing table, or into the reasons why not. The runtime takes turns between this
// goroutine and those of requests: no thread of its own is needed for a large table.
func decodeTable(content []byte, withResilience bool) (table *RoutingTable, checksum string, faults []string) {
	defer func() {
		if fault := recover(); fault != nil {
			faults = []string{fmt.Sprintf("(document): the router failed to read it: %v", fault)}
		}
	}()
	document, faults := readJSON(content)
	if len(faults) > 0 {
		return nil, "", faults
	}
	if table, faults = parseRoutingTable(document, withResilience); len(faults) > 0 {
		return nil, "", faults
	}
	return table, checksumOf(document), nil
}
