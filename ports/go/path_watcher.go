// Tells that a file may have changed, by looking at what its path leads to now. That takes a fifth of the code of watching every
// directory on the way (`path-watcher.ts` does), works on file systems that send no events, and sees every kind of change: in
// place, renamed over, behind a swapped link.

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// The file system has this long to answer.
const fileDeadline = 5 * time.Second

// PathWatcher looks at one path. One goroutine at a time.
type PathWatcher struct {
	path string
	// The call to the file system that has not been answered in time.
	pending chan error
}

// sight is what can be seen of a file without reading it.
type sight struct {
	device, inode     uint64
	size              int64
	modified, changed syscall.Timespec
	whyNot            string
}

// Look follows links, so that a swapped link on the way to the file is another sight.
func (w *PathWatcher) Look() (seen sight) {
	stat := make(chan os.FileInfo, 1)
	if err := w.inTime(func() error {
		info, err := os.Stat(w.path)
		stat <- info
		return err
	}); err != nil {
		return sight{whyNot: err.Error()}
	}
	info := <-stat
	seen.size = info.Size()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		seen.device, seen.inode, seen.modified, seen.changed = stat.Dev, stat.Ino, stat.Mtim, stat.Ctim
	}
	return seen
}

// Read reads the file.
func (w *PathWatcher) Read(maxBytes int64) ([]byte, error) {
	read := make(chan []byte, 1)
	if err := w.inTime(func() error {
		content, err := readRegularFile(w.path, maxBytes)
		read <- content
		return err
	}); err != nil {
		return nil, err
	}
	return <-read, nil
}

// inTime gives a call to the file system a deadline. Nothing takes the call back from the system: a mount that hangs costs one
// thread, and not one more with each look.
func (w *PathWatcher) inTime(call func() error) error {
	late := time.After(fileDeadline)
	noAnswer := fmt.Errorf("the file system has not answered within %d ms", fileDeadline.Milliseconds())
	if w.pending != nil {
		select {
		case <-w.pending:
		case <-late:
			return noAnswer
		}
	}
	answer := make(chan error, 1)
	go func() { answer <- call() }()
	select {
	case err := <-answer:
		w.pending = nil
		return err
	case <-late:
		w.pending = answer
		return noAnswer
	}
}
