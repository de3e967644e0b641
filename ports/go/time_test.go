package main

import "time"

// Times of tests count from here. Milliseconds, as in the stages' tables.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms float64) time.Time { return epoch.Add(milliseconds(ms)) }
