package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The records that every suite writes and expects back; the rules are in ../README.md.
const (
	partitions = 4
	records    = 40 // in each partition
)

var (
	sizes = []int{0, 1, 10, 100, 1_000, 10_000, 100_000, 300_000} // bytes of a value, by index
	run   = fmt.Sprintf("%x-%x", time.Now().Unix(), os.Getpid())  // keeps the topics of two runs apart

	// In the past, so that no record is newer than the broker's clock, and well inside the default retention.
	firstTimestamp = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
)

func topicName(what string) string { return "franz-go-" + what + "-" + run }

// timestamp rises by a second a record, except that every tenth record is late by six seconds.
func timestamp(index int) time.Time {
	if index%10 == 9 {
		index -= 6
	}
	return firstTimestamp.Add(time.Duration(index) * time.Second)
}

func key(partition, index int) []byte {
	switch index % 5 {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	return fmt.Appendf(nil, "key-%d-%d", partition, index)
}

// value: even records are text that compresses, odd ones are digests that do not; every eleventh is null.
func value(partition, index int) []byte {
	if index%11 == 7 {
		return nil
	}
	size := sizes[index%len(sizes)]
	name := fmt.Sprintf("%d-%d-", partition, index)
	content := make([]byte, 0, size+32)
	for block := 0; len(content) < size; block++ {
		if index%2 == 0 {
			content = append(content, name...)
		} else {
			digest := sha256.Sum256(fmt.Appendf(nil, "%s%d", name, block))
			content = append(content, digest[:]...)
		}
	}
	return content[:size]
}

func headers(partition, index int) []kgo.RecordHeader {
	switch index % 4 {
	case 1:
		return []kgo.RecordHeader{{Key: "trace", Value: fmt.Appendf(nil, "%d-%d", partition, index)}}
	case 2:
		return []kgo.RecordHeader{{Key: "twice", Value: []byte{0, 0xff, 0x80, '\n'}}, {Key: "twice", Value: []byte("again")}}
	case 3:
		return []kgo.RecordHeader{{Key: "null"}, {Key: "empty", Value: []byte{}}}
	}
	return nil
}

func record(topic string, partition, index int) *kgo.Record {
	return &kgo.Record{
		Topic:     topic,
		Partition: int32(partition),
		Key:       key(partition, index),
		Value:     value(partition, index),
		Headers:   headers(partition, index),
		Timestamp: timestamp(index),
	}
}

// compare checks a whole partition from offset first up to end: nothing missing, nothing twice, dense
// offsets, every field equal.
func compare(partition int, got []*kgo.Record, first, end int) error {
	for at, r := range got[:min(len(got), end-first)] {
		index := first + at
		wanted := record(r.Topic, partition, index)
		where := fmt.Sprintf("partition %d record %d", partition, index)
		if r.Offset != int64(index) {
			return fmt.Errorf("%s has offset %d", where, r.Offset)
		}
		if !r.Timestamp.Equal(wanted.Timestamp) || r.Attrs.TimestampType() != 0 {
			return fmt.Errorf("%s timestamp: got %v, expected %v", where, r.Timestamp, wanted.Timestamp)
		}
		if !same(r.Key, wanted.Key) {
			return fmt.Errorf("%s key: got %q, expected %q", where, r.Key, wanted.Key)
		}
		if !same(r.Value, wanted.Value) {
			return fmt.Errorf("%s value: got %d bytes, expected %d", where, len(r.Value), len(wanted.Value))
		}
		if len(r.Headers) != len(wanted.Headers) {
			return fmt.Errorf("%s headers: got %v, expected %v", where, r.Headers, wanted.Headers)
		}
		for i, header := range r.Headers {
			if header.Key != wanted.Headers[i].Key || !same(header.Value, wanted.Headers[i].Value) {
				return fmt.Errorf("%s header %d: got %v, expected %v", where, i, header, wanted.Headers[i])
			}
		}
	}
	return equal(len(got), end-first, "partition %d number of records", partition)
}

// same tells null from empty, which bytes.Equal does not.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func equal[T comparable](got, wanted T, what string, arguments ...any) error {
	if got != wanted {
		return fmt.Errorf("%s: got %v, expected %v", fmt.Sprintf(what, arguments...), got, wanted)
	}
	return nil
}

// checks counts, and prints a line for each.
type checks struct {
	mutex          sync.Mutex
	passed, failed int
}

func (c *checks) run(name string, check func() error) {
	started := time.Now()
	err := check()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err != nil {
		c.failed++
		fmt.Printf("FAIL %s: %v\n", name, err)
		return
	}
	c.passed++
	fmt.Printf("ok   %s (%.1f s)\n", name, time.Since(started).Seconds())
}

// together runs checks at the same time.
func (c *checks) together(named map[string]func() error) {
	var all sync.WaitGroup
	for name, check := range named {
		all.Go(func() { c.run(name, check) })
	}
	all.Wait()
}

func (c *checks) finish() {
	fmt.Printf("%d passed, %d failed\n", c.passed, c.failed)
	if c.failed > 0 {
		os.Exit(1)
	}
}
