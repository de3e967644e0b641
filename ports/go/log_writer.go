// Writes a log, and lets nothing wait for it: neither a request nor the end of the process. Lines wait in bounded memory; one
// goroutine writes them. A write that never returns holds one thread, which Go leaves behind at exit.

package main

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxLogBytes = 16 * 1024 * 1024
	// Lines of this time go out together, because a write costs as much as making a line.
	logGather = 10 * time.Millisecond
	// Pause after an error. Somebody may have made room by then.
	logRetry = time.Second
	// How long the last lines may take.
	logEnd = 400 * time.Millisecond
)

// LogWriter is an io.Writer that takes whole lines, never waits and never fails.
type LogWriter struct {
	to      io.Writer
	dropped atomic.Int64
	// Lines wait; they shall end; all has been written that will be.
	work, ending, done chan struct{}

	mu sync.Mutex
	// Of two buffers one takes lines while the other is written.
	waiting, writing *bytes.Buffer
	// Dropped lines that no line in the log mentions yet.
	unmentioned int
	// Once full, the buffers are emptied first: one long gap in a log is easier to read than many short ones.
	isOverflowed bool
	// The last write failed: the line about dropped lines waits for the next line.
	isBroken bool
	isClosed bool
}

func newLogWriter(to io.Writer) *LogWriter {
	w := &LogWriter{to: to, waiting: &bytes.Buffer{}, writing: &bytes.Buffer{}}
	w.work, w.ending, w.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go w.run()
	return w
}

// Dropped counts the lines that are lost.
func (w *LogWriter) Dropped() int64 { return w.dropped.Load() }

// #region log-writer

func (w *LogWriter) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	isOver := w.waiting.Len()+w.writing.Len()+len(lines) > maxLogBytes
	if w.isOverflowed = w.isOverflowed || isOver; w.isOverflowed || w.isClosed {
		w.drop(lines)
		return len(lines), nil
	}
	w.mentionDropped()
	w.waiting.Write(lines)
	select {
	case w.work <- struct{}{}:
	default:
	}
	return len(lines), nil
}

// End writes what waits, for a moment, and drops the rest.
func (w *LogWriter) End() {
	close(w.ending)
	select {
	case <-w.done:
	case <-time.After(logEnd):
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isClosed = true
}

func (w *LogWriter) run() {
	defer close(w.done)
	isEnding := false
	for !isEnding {
		select {
		case <-w.work:
			isEnding = w.pause(logGather)
		case <-w.ending:
			isEnding = true
		}
		for lines := w.take(); len(lines) > 0; lines = w.take() {
			if !w.writeOut(lines, isEnding) {
				return
			}
		}
	}
}

// take takes all lines that wait, and makes room for others.
func (w *LogWriter) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting.Len() == 0 {
		w.isOverflowed = false
		if !w.isBroken {
			w.mentionDropped()
		}
	}
	w.writing.Reset()
	w.waiting, w.writing = w.writing, w.waiting
	return w.writing.Bytes()
}

// writeOut writes lines until all of them are out, or nobody will read them. False: the end has come meanwhile.
func (w *LogWriter) writeOut(lines []byte, isEnding bool) bool {
	for len(lines) > 0 {
		n, err := w.to.Write(lines)
		// A line counts as written once its last byte is; of a line that is torn, all is written again, on a line of its own.
		whole := bytes.LastIndexByte(lines[:n], '\n') + 1
		isTorn := whole < n
		lines = lines[whole:]
		w.mu.Lock()
		w.isBroken = err != nil
		w.mu.Unlock()
		if err == nil {
			continue
		}
		if isEnding {
			return false
		}
		if !hasNoRoom(err) {
			// Nobody will read these lines.
			w.mu.Lock()
			w.drop(lines)
			w.drop(w.waiting.Bytes())
			w.waiting.Reset()
			w.mu.Unlock()
			lines = nil
		} else if isTorn {
			lines = append([]byte("\n"), lines...)
		}
		if w.pause(logRetry) {
			return false
		}
	}
	return true
}

// #endregion log-writer

// drop counts whole lines. Where one says how many were dropped before, those are to be mentioned again.
func (w *LogWriter) drop(lines []byte) {
	for line := range bytes.Lines(lines) {
		if mentioned, ok := mentionedIn(line); ok {
			w.unmentioned += mentioned
			continue
		}
		w.dropped.Add(1)
		w.unmentioned++
	}
}

// mentionDropped puts a line in the place of those that were dropped.
func (w *LogWriter) mentionDropped() {
	if w.unmentioned > 0 {
		w.waiting.Write(droppedLines(w.unmentioned))
		w.unmentioned = 0
	}
}

// pause returns true when the end has come.
func (w *LogWriter) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return false
	case <-w.ending:
		return true
	}
}

// hasNoRoom: somebody may make room, so lines wait.
func hasNoRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
