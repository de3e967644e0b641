package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func takeAll(bucket *TokenBucket, now time.Time) (taken int) {
	for bucket.TryTake(now) == 0 {
		taken++
	}
	return taken
}

func TestTokenBucketLetsABurstThroughThenSaysWhenToComeBack(t *testing.T) {
	bucket := newTokenBucket(RateLimitSettings{RatePerSecond: 10, Burst: 3}, at(0))
	if taken := takeAll(bucket, at(0)); taken != 3 {
		t.Fatalf("a burst of 3 let %d through", taken)
	}
	for _, each := range []struct{ nowMs, retryAfterMs float64 }{{0, 100}, {60, 40}, {99, 1}, {100, 0}, {100, 100}} {
		if got := bucket.TryTake(at(each.nowMs)); got != milliseconds(each.retryAfterMs) {
			t.Errorf("at %v ms: retry after %v, expected %v ms", each.nowMs, got, each.retryAfterMs)
		}
	}
}

func TestTokenBucketKeepsItsRateWithinOnePercent(t *testing.T) {
	for _, each := range []struct{ rate, burst, everyMs float64 }{
		{1, 1, 7}, {3, 1, 1}, {10, 5, 13}, {100, 20, 1}, {100, 200, 3}, {333, 10, 2}, {1000, 1, 0.25}, {7.5, 2, 11},
	} {
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			bucket := newTokenBucket(RateLimitSettings{each.rate, each.burst}, at(0))
			takeAll(bucket, at(0))
			taken := 0.0
			for now := each.everyMs; now <= 10_000; now += each.everyMs {
				if bucket.TryTake(at(now)) == 0 {
					taken++
				}
			}
			expected := each.rate * 10
			// One token may still be under way when the ten seconds end.
			if taken > expected || taken < math.Min(expected*0.99, expected-1) {
				t.Errorf("%v let through, where the limit says %v", taken, expected)
			}
		})
	}
}

func TestTokenBucketKeepsItsShareOverAChangeOfTheLimit(t *testing.T) {
	for _, each := range []struct {
		title         string
		taken, expect float64
	}{{"full stays full", 0, 200}, {"half full stays half full", 50, 100}, {"empty stays empty", 100, 0}} {
		bucket := newTokenBucket(RateLimitSettings{10, 100}, at(0))
		for range int(each.taken) {
			bucket.TryTake(at(0))
		}
		bucket.Reconfigure(RateLimitSettings{20, 200}, at(0))
		if level := bucket.Level(at(0)); math.Abs(level-each.expect) > 1e-9 {
			t.Errorf("%s: level %v, expected %v", each.title, level, each.expect)
		}
	}
}

func TestTokenBucketIsNeitherFilledNorDrainedByAClockThatGoesBack(t *testing.T) {
	bucket := newTokenBucket(RateLimitSettings{10, 10}, at(1000))
	var taken []int
	for _, nowMs := range []float64{1000, 0, 1000, 1200} {
		taken = append(taken, takeAll(bucket, at(nowMs)))
	}
	if fmt.Sprint(taken) != "[10 0 0 2]" {
		t.Errorf("taken: %v", taken)
	}
}

// Never more than burst + rate · t in any stretch of time, and waiting for as long as it says is enough: whatever comes when.
func TestTokenBucketProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		limit := RateLimitSettings{0.1 + random.Float64()*2000, float64(1 + random.IntN(300))}
		bucket := newTokenBucket(limit, at(0))
		var takenAt []float64
		now, latest := 0.0, 0.0
		for range 300 {
			if random.IntN(2) == 0 {
				now += float64(random.IntN(3500) - 500)
			}
			latest = math.Max(latest, now)
			if bucket.TryTake(at(now)) == 0 {
				takenAt = append(takenAt, latest)
			}
		}
		for first := 0; first < len(takenAt); first += 7 {
			for last := first; last < len(takenAt); last += 5 {
				most := limit.Burst + limit.RatePerSecond*(takenAt[last]-takenAt[first])/1000 + 1e-6
				if float64(last-first+1) > most {
					t.Fatalf("%v: %d in %v ms", limit, last-first+1, takenAt[last]-takenAt[first])
				}
			}
		}
		takeAll(bucket, at(latest))
		wait := bucket.TryTake(at(latest))
		if wait%time.Millisecond != 0 || bucket.Level(at(latest).Add(wait-time.Millisecond)) >= 1 {
			t.Fatalf("%v: a millisecond less than %v is enough", limit, wait)
		}
		if bucket.TryTake(at(latest).Add(wait)) != 0 {
			t.Fatalf("%v: %v is not enough", limit, wait)
		}
	}
}

func TestKeyedBucketsCostNoMemoryForInventedKeys(t *testing.T) {
	table := &RoutingTable{PlacementByKey: map[string]*Placement{"routed": {}}}
	table.KeyLimits = map[string]RateLimitSettings{"__proto__": {1, 2}}
	table.UnlistedKeysLimit = &RateLimitSettings{1, 5}
	buckets := (&KeyedBuckets{}).Next(table, at(0))
	served := 0
	for n := range 1000 {
		if buckets.TryTake(fmt.Sprint("invented-", n), at(0)) == 0 {
			served++
		}
	}
	if served != 5 || buckets.Size() != 2 {
		t.Errorf("%d invented keys served, %d buckets", served, buckets.Size())
	}
	if buckets.TryTake("routed", at(0)) != 0 || buckets.TryTake("__proto__", at(0)) != 0 {
		t.Error("a key that the table names was taken for an invented one")
	}
	if next := buckets.Next(table, at(0)); next.TryTake("again", at(0)) == 0 {
		t.Error("a push has refilled the shared bucket")
	}
}
