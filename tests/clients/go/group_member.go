package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	session        = 6 * time.Second  // the least that Kafka allows by default
	patientSession = 45 * time.Second // longer than any check waits: what happens within it is not a timeout's doing
	heartbeat      = time.Second
	each           = 30 // records in each partition, numbered from 0 as their offsets
)

func groupValue(partition, offset int) string { return fmt.Sprintf("%d-%d", partition, offset) }

// produceGroup puts records into each partition, from offset first up to end.
func (s suite) produceGroup(topic string, first, end int) error {
	client, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	var batch []*kgo.Record
	for offset := first; offset < end; offset++ {
		for partition := range partitions {
			batch = append(batch, &kgo.Record{Topic: topic, Partition: int32(partition), Value: []byte(groupValue(partition, offset))})
		}
	}
	ctx, cancel := bounded()
	defer cancel()
	return client.ProduceSync(ctx, batch...).FirstErr()
}

// member is a consumer in a group, polled in the background. It commits nothing by itself.
type member struct {
	client *kgo.Client
	topic  string
	done   chan struct{}
	leaves bool // a client of the newer protocol that just ends keeps its place

	mutex   sync.Mutex
	has     []int // partitions, sorted
	rounds  int   // how often it was told of an assignment
	taken   []int // partitions it ever gave up
	records [partitions][]*kgo.Record
	err     error
}

func (s suite) join(topic, group string, options ...kgo.Opt) (*member, error) {
	m := &member{topic: topic, done: make(chan struct{}), leaves: s.serverSide}
	lose := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for _, partition := range lost[topic] {
			m.taken = append(m.taken, int(partition))
			m.has = slices.DeleteFunc(m.has, func(has int) bool { return has == int(partition) })
		}
	}
	standard := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(heartbeat),
		kgo.SessionTimeout(session), kgo.Balancers(kgo.RangeBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			m.rounds++
			for _, partition := range given[topic] {
				m.has = append(m.has, int(partition))
			}
			slices.Sort(m.has)
		}),
		kgo.OnPartitionsRevoked(lose), kgo.OnPartitionsLost(lose),
	}
	all := append(standard, options...)
	if s.serverSide {
		// The balancer only names the assignor; others keep a client with the classic protocol.
		all = append(all, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	client, err := s.client(all...)
	if err != nil {
		return nil, err
	}
	m.client = client
	go m.poll()
	return m, nil
}

func (m *member) poll() {
	defer close(m.done)
	for {
		fetches := m.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		m.mutex.Lock()
		for _, failed := range fetches.Errors() {
			m.err = failed.Err
		}
		fetches.EachRecord(func(r *kgo.Record) { m.records[r.Partition] = append(m.records[r.Partition], r) })
		m.mutex.Unlock()
	}
}

func (m *member) partitions() []int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.has)
}

func (m *member) read(partition int) []*kgo.Record {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.records[partition])
}

// commit commits what the member has read.
func (m *member) commit() error {
	ctx, cancel := bounded()
	defer cancel()
	var last []*kgo.Record
	for _, partition := range m.partitions() {
		read := m.read(partition)
		last = append(last, read[len(read)-1])
	}
	return m.client.CommitRecords(ctx, last...)
}

// close leaves the group; a static member for a while only.
func (m *member) close() {
	if m.leaves {
		m.client.LeaveGroup()
	}
	m.client.Close()
	<-m.done
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.has = nil
}

// until waits until it holds, and tells how long that took.
func until(what string, holds func() bool, members ...*member) (time.Duration, error) {
	started := time.Now()
	for !holds() {
		for _, m := range members {
			m.mutex.Lock()
			err := m.err
			m.mutex.Unlock()
			if err != nil {
				return 0, fmt.Errorf("waiting for %s: %w", what, err)
			}
		}
		if time.Since(started) > deadline {
			seen := ""
			for _, m := range members {
				seen += fmt.Sprintf(" %v", m.partitions())
			}
			return 0, fmt.Errorf("not in time: %s; members have%s", what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(started), nil
}

// share waits until the members have all the partitions, each as many, none twice.
func share(members ...*member) error {
	_, err := until(fmt.Sprintf("%d share", len(members)), func() bool {
		var all []int
		for _, m := range members {
			has := m.partitions()
			if len(has) != partitions/len(members) {
				return false
			}
			all = append(all, has...)
		}
		slices.Sort(all)
		return slices.Equal(all, upTo(partitions))
	}, members...)
	return err
}

// readTo waits until the members have read from first up to end, each record once and in order.
func readTo(first [partitions]int, end int, members ...*member) error {
	all := func(partition int) (records []*kgo.Record) {
		for _, m := range members {
			records = append(records, m.read(partition)...)
		}
		return records
	}
	if _, err := until(fmt.Sprintf("read to %d", end), func() bool {
		for partition := range partitions {
			if len(all(partition)) < end-first[partition] {
				return false
			}
		}
		return true
	}, members...); err != nil {
		return err
	}
	byOffset := func(a, b *kgo.Record) int { return int(a.Offset - b.Offset) }
	for partition := range partitions {
		for _, m := range members {
			if !slices.IsSortedFunc(m.read(partition), byOffset) {
				return fmt.Errorf("partition %d came out of order", partition)
			}
		}
		records := all(partition)
		slices.SortFunc(records, byOffset)
		if err := equal(len(records), end-first[partition], "number of records of partition %d", partition); err != nil {
			return err
		}
		for at, r := range records {
			if err := equal(string(r.Value), groupValue(partition, first[partition]+at), "record %d of partition %d", at, partition); err != nil {
				return err
			}
		}
	}
	return nil
}
