// What this process says: JSON lines on standard output. A log that cannot be written (full disk, closed terminal, stalled
// reader) loses lines and counts them; it stops neither traffic nor the stop. log/slog makes the lines.

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Levels that slog does not have.
const (
	levelTrace  = slog.LevelDebug - 4
	levelFatal  = slog.LevelError + 4
	levelSilent = slog.Level(1000)
)

var logLevels = map[string]slog.Level{
	"fatal": levelFatal, "error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
	"trace": levelTrace, "silent": levelSilent,
}

// Logger writes events as lines with the fields `level`, `time` and `event` in front.
type Logger struct{ logger *slog.Logger }

func newLogger(to *LogWriter, level slog.Level) *Logger {
	handler := slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: asStagesDo})
	return &Logger{slog.New(handler)}
}

// asStagesDo gives slog's own fields the form that all stages write.
func asStagesDo(groups []string, attribute slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attribute
	}
	switch attribute.Key {
	case slog.TimeKey:
		if t, ok := attribute.Value.Any().(time.Time); ok {
			return slog.String("time", isoTime(t))
		}
	case slog.LevelKey:
		if level, ok := attribute.Value.Any().(slog.Level); ok {
			return slog.String("level", strings.ToLower(level.String()))
		}
	case slog.MessageKey:
		return slog.String("event", attribute.Value.String())
	}
	return attribute
}

// isoTime is ISO 8601 in UTC, to the millisecond.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Says tells whether an event of this level is written at all.
func (l *Logger) Says(level slog.Level) bool { return l.logger.Enabled(context.Background(), level) }

func (l *Logger) Info(event string, fields ...slog.Attr)  { l.log(slog.LevelInfo, event, fields) }
func (l *Logger) Warn(event string, fields ...slog.Attr)  { l.log(slog.LevelWarn, event, fields) }
func (l *Logger) Error(event string, fields ...slog.Attr) { l.log(slog.LevelError, event, fields) }

func (l *Logger) log(level slog.Level, event string, fields []slog.Attr) {
	l.logger.LogAttrs(context.Background(), level, event, fields...)
}

// Fault notes what a part of the router panicked with, where the router goes on without it.
func (l *Logger) Fault(fault any) {
	l.Error("listener-failed", slog.String("cause", fmt.Sprint(fault)))
}

// droppedLines is the line in place of those that were dropped; written whatever the level is.
func droppedLines(lines int) []byte {
	return fmt.Appendf(nil, `{"level":"warn","time":"%s"%s%d}`+"\n", isoTime(time.Now()), noticeOfDropped, lines)
}

const noticeOfDropped = `,"event":"log-lines-dropped","lines":`

// mentionedIn tells how many dropped lines a line mentions. In the values of an ordinary line, each quote is escaped.
func mentionedIn(line []byte) (int, bool) {
	_, rest, ok := bytes.Cut(line, []byte(noticeOfDropped))
	if !ok {
		return 0, false
	}
	lines, err := strconv.Atoi(string(bytes.TrimSuffix(rest, []byte("}\n"))))
	return lines, err == nil
}
