// Reads a file at a path that somebody else fills: only a regular file, and only so much of it. A named pipe, a device or a file
// without end is a fault to name and not a reason to stop.

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// #region regular-file

// readRegularFile says why there is nothing to read when it is no regular file or larger than maxBytes.
func readRegularFile(path string, maxBytes int64) ([]byte, error) {
	// Non-blocking: to open a named pipe would otherwise wait for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if errors.Is(err, syscall.ENXIO) {
		// What Linux says to who opens a socket, or a device that is not there.
		return nil, fmt.Errorf("a socket or a device, not a regular file, open %q", path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Of what is open, and not of the path: by now, that may lead to something else.
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s, not a regular file, open %q", kindOfFile(info.Mode()), path)
	}
	// The size it says it has counts for nothing: the file may grow meanwhile, and those in /proc have none.
	content, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err == nil && int64(len(content)) > maxBytes {
		err = fmt.Errorf("larger than %d bytes, open %q", maxBytes, path)
	}
	return content, err
}

func kindOfFile(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// #endregion regular-file
