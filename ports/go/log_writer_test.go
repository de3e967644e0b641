package main

import (
	"bytes"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// brokenPipe refuses every write until it is mended.
type brokenPipe struct {
	mu       sync.Mutex
	isMended bool
	refusals int
	has      bytes.Buffer
}

func (p *brokenPipe) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isMended {
		p.refusals++
		return 0, syscall.EPIPE
	}
	return p.has.Write(lines)
}

func (p *brokenPipe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.has.String()
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLinesThatNobodyReadsAreCountedOnceAndMentionedOnce(t *testing.T) {
	pipe := &brokenPipe{}
	w := newLogWriter(pipe)
	w.Write([]byte("one\ntwo\n"))
	eventually(t, "two lines are dropped", func() bool { return w.Dropped() == 2 })
	// This one brings the line about the first two along; both are lost, and that line counts for nothing.
	w.Write([]byte("three\n"))
	eventually(t, "three lines are dropped", func() bool { return w.Dropped() == 3 })
	pipe.mu.Lock()
	pipe.isMended = true
	pipe.mu.Unlock()
	w.Write([]byte("four\n"))
	eventually(t, "the log goes on", func() bool { return strings.HasSuffix(pipe.text(), "four\n") })
	first, rest, _ := strings.Cut(pipe.text(), "\n")
	if !strings.HasSuffix(first, `"event":"log-lines-dropped","lines":3}`) || rest != "four\n" {
		t.Errorf("the log says %q", pipe.text())
	}
	if w.Dropped() != 3 {
		t.Errorf("%d lines are counted", w.Dropped())
	}
}
