// Rate limits as token buckets: one bucket, and a set of them by routing key. No timer fills a bucket: each look first adds
// what has flowed in since the last one. The response 429 is left to `proxy.go`.
//
// Not golang.org/x/time/rate: it keeps its tokens when its burst changes, where a bucket that was half full must be half full
// afterwards; its burst is a whole number; and what it says about the next token, it says by taking it.

package main

import (
	"math"
	"sync"
	"time"
)

// Ten tenths of a token must make one, in floating point too.
const rounding = 1e-9

// #region token-bucket

// TokenBucket lets `burst` requests through at once and `ratePerSecond` in the long run. A new bucket is full.
type TokenBucket struct {
	mu       sync.Mutex
	settings RateLimitSettings
	tokens   float64
	filledAt time.Time
}

func newTokenBucket(settings RateLimitSettings, now time.Time) *TokenBucket {
	return &TokenBucket{settings: settings, tokens: settings.Burst, filledAt: now}
}

// TryTake takes one token and returns 0, or says after how long one will be there, if nobody else takes it: in whole
// milliseconds.
func (b *TokenBucket) TryTake(now time.Time) (retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if b.tokens >= 1-rounding {
		b.tokens--
		return 0
	}
	missing := 1 - rounding - b.tokens
	return time.Duration(math.Ceil(missing/b.settings.RatePerSecond*1000)) * time.Millisecond
}

// Level is how many tokens are in the bucket, fractions included. It changes nothing.
func (b *TokenBucket) Level(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return math.Max(0, b.levelAt(now))
}

// Reconfigure changes the limit. A bucket that was half full is half full afterwards: a push neither refills nor drains it.
func (b *TokenBucket) Reconfigure(settings RateLimitSettings, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	b.tokens *= settings.Burst / b.settings.Burst
	b.settings = settings
}

func (b *TokenBucket) fill(now time.Time) {
	b.tokens = b.levelAt(now)
	// A clock that went back is not followed: the same stretch of time would fill the bucket twice.
	if now.After(b.filledAt) {
		b.filledAt = now
	}
}

func (b *TokenBucket) levelAt(now time.Time) float64 {
	elapsed := math.Max(0, now.Sub(b.filledAt).Seconds())
	return math.Min(b.settings.Burst, b.tokens+elapsed*b.settings.RatePerSecond)
}

// #endregion token-bucket

// #region keyed-buckets

// KeyedBuckets holds one bucket for each key in `keyLimits`, and one for all keys that the table does not name anywhere.
//
// Buckets are made from the table only, never from a request: a client that invents a million keys meets one shared bucket
// and costs no memory. The keys that the table routes stay out of that bucket, so that such a client does not use up
// what belongs to a tenant. It is not modified once a table is in use: the next table gets the next one.
type KeyedBuckets struct {
	buckets    map[string]*TokenBucket
	unlisted   *TokenBucket
	routedKeys map[string]*Placement
}

// Next follows a new table. A bucket whose key is still limited keeps its level.
func (k *KeyedBuckets) Next(table *RoutingTable, now time.Time) *KeyedBuckets {
	next := &KeyedBuckets{buckets: map[string]*TokenBucket{}, routedKeys: table.PlacementByKey}
	for key, settings := range table.KeyLimits {
		next.buckets[key] = carriedOver(k.buckets[key], settings, now)
	}
	if table.UnlistedKeysLimit != nil {
		next.unlisted = carriedOver(k.unlisted, *table.UnlistedKeysLimit, now)
	}
	return next
}

// Size is how many buckets there are, the shared one included.
func (k *KeyedBuckets) Size() int {
	if k.unlisted == nil {
		return len(k.buckets)
	}
	return len(k.buckets) + 1
}

// TryTake takes one token for routingKey; it always succeeds for a key without a limit.
func (k *KeyedBuckets) TryTake(routingKey string, now time.Time) (retryAfter time.Duration) {
	if own, ok := k.buckets[routingKey]; ok {
		return own.TryTake(now)
	}
	if k.unlisted == nil {
		return 0
	}
	if _, isRouted := k.routedKeys[routingKey]; isRouted {
		return 0
	}
	return k.unlisted.TryTake(now)
}

// #endregion keyed-buckets

func carriedOver(bucket *TokenBucket, settings RateLimitSettings, now time.Time) *TokenBucket {
	if bucket == nil {
		return newTokenBucket(settings, now)
	}
	bucket.Reconfigure(settings, now)
	return bucket
}
