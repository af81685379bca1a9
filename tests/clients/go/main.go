// franz-go: its idempotent producer and its plain one, direct consuming, and kadm.
//
// Usage: franz-go HOST:PORT
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const deadline = 30 * time.Second // for any single answer of the broker

var codecs = []struct {
	name  string
	codec kgo.CompressionCodec
}{
	{"none", kgo.NoCompression()},
	{"gzip", kgo.GzipCompression()},
	{"snappy", kgo.SnappyCompression()},
	{"lz4", kgo.Lz4Compression()},
	{"zstd", kgo.ZstdCompression()},
}

type suite struct {
	bootstrap string
	admin     *kadm.Client
	// serverSide is whether members leave the assigning to the coordinator (KIP-848).
	serverSide bool
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), deadline)
}

func (s suite) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.bootstrap)}, options...)...)
}

// produce sends the first records of each partition, interleaved, and checks the offset in every acknowledgement.
func (s suite) produce(topic string, partitions, records int, options ...kgo.Opt) error {
	standard := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20 * time.Millisecond), kgo.AllowAutoTopicCreation()}
	client, err := s.client(append(standard, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	var batch []*kgo.Record
	for index := range records {
		for partition := range partitions {
			batch = append(batch, record(topic, partition, index))
		}
	}
	ctx, cancel := bounded()
	defer cancel()
	for number, result := range client.ProduceSync(ctx, batch...) {
		if result.Err != nil {
			return fmt.Errorf("record %d: %w", number, result.Err)
		}
	}
	for number, sent := range batch {
		if err := equal(sent.Offset, int64(number/partitions), "acknowledged offset in partition %d", sent.Partition); err != nil {
			return err
		}
	}
	return nil
}

// consume reads [first, end) of each of the partitions, all at once, and compares it with the scenario.
func (s suite) consume(topic string, which []int, first, end int, options ...kgo.Opt) error {
	from := map[int32]kgo.Offset{}
	for _, partition := range which {
		from[int32(partition)] = kgo.NewOffset().At(int64(first))
	}
	standard := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset())}
	client, err := s.client(append(standard, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := bounded()
	defer cancel()
	got := map[int][]*kgo.Record{}
	for count := 0; count < len(which)*(end-first); {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			break // what has arrived until then is compared below
		}
		for _, failed := range fetches.Errors() {
			return fmt.Errorf("partition %d: %w", failed.Partition, failed.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got[int(r.Partition)] = append(got[int(r.Partition)], r)
			count++
		})
	}
	for _, partition := range which {
		if err := compare(partition, got[partition], first, end); err != nil {
			return err
		}
	}
	return nil
}

func upTo(end int) []int {
	numbers := make([]int, end)
	for index := range numbers {
		numbers[index] = index
	}
	return numbers
}

func (s suite) roundTrip(codec string, options ...kgo.Opt) error {
	topic := topicName(codec)
	if err := s.create(topic, partitions, nil); err != nil {
		return err
	}
	if err := s.produce(topic, partitions, records, options...); err != nil {
		return err
	}
	if err := s.consume(topic, upTo(partitions), 0, records); err != nil {
		return err
	}
	return s.consume(topic, upTo(partitions), 17, records, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

func (s suite) autoCreated() error {
	topic := topicName("auto")
	if err := s.produce(topic, 1, records, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())); err != nil {
		return err
	}
	return s.consume(topic, []int{0}, 0, records)
}

// noAcknowledgement: with acks=0 the broker must not answer, or every later answer on the connection is misread.
func (s suite) noAcknowledgement() error {
	topic := topicName("acks-0")
	if err := s.create(topic, partitions, nil); err != nil {
		return err
	}
	client, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.NoAck()))
	if err != nil {
		return err
	}
	ctx, cancel := bounded()
	defer cancel()
	for index := range records {
		if err := client.ProduceSync(ctx, record(topic, 2, index)).FirstErr(); err != nil {
			return err
		}
	}
	client.Close()
	return s.consume(topic, []int{2}, 0, records)
}

// smallFetches: a batch larger than every limit of the fetch still arrives, alone (KIP-74), with fetch sessions and without.
func (s suite) smallFetches() error {
	limits := []kgo.Opt{kgo.FetchMaxBytes(4_000), kgo.FetchMaxPartitionBytes(2_000)}
	if err := s.consume(topicName("none"), upTo(partitions), 0, records, limits...); err != nil {
		return err
	}
	return s.consume(topicName("none"), upTo(partitions), 0, records, append(limits, kgo.DisableFetchSessions())...)
}

// longPoll: a consumer at the end is woken by the next record, long before its wait is over.
func (s suite) longPoll() error {
	topic := topicName("poll")
	if err := s.create(topic, 1, nil); err != nil {
		return err
	}
	time.AfterFunc(time.Second, func() { _ = s.produce(topic, 1, 1) })
	started := time.Now()
	if err := s.consume(topic, []int{0}, 0, 1, kgo.FetchMaxWait(8*time.Second)); err != nil {
		return err
	}
	if waited := time.Since(started); waited > 5*time.Second {
		return fmt.Errorf("woken after %v", waited)
	}
	return nil
}

func (s suite) tooLarge() error {
	topic := topicName("too-large")
	if err := s.create(topic, 1, map[string]string{"max.message.bytes": "50000"}); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := bounded()
	defer cancel()
	large := &kgo.Record{Topic: topic, Value: make([]byte, 60_000)}
	incompressible := value(0, 15)[:60_000]
	copy(large.Value, incompressible)
	if err := refused(client.ProduceSync(ctx, large).FirstErr(), kerr.MessageTooLarge); err != nil {
		return err
	}
	return client.ProduceSync(ctx, record(topic, 0, 1)).FirstErr()
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return module.Version
		}
	}
	return ""
}

func main() {
	if os.Args[1] == "--member" {
		memberMain()
		return
	}
	s := suite{bootstrap: os.Args[1]}
	client, err := s.client()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s.admin = kadm.NewClient(client)
	fmt.Printf("franz-go %s\n", version())
	c := &checks{}
	c.run("cluster", s.cluster)
	c.run("create topic", s.createTopic)
	for _, codec := range codecs {
		c.run("codec "+codec.name+", idempotent", func() error {
			return s.roundTrip(codec.name, kgo.ProducerBatchCompression(codec.codec))
		})
	}
	for _, codec := range codecs {
		c.run("codec "+codec.name+", not idempotent", func() error {
			return s.roundTrip(codec.name+"-plain", kgo.ProducerBatchCompression(codec.codec), kgo.DisableIdempotentWrite())
		})
	}
	c.run("auto-created topic", s.autoCreated)
	c.run("no acknowledgement", s.noAcknowledgement)
	c.run("small fetches", s.smallFetches)
	c.run("long poll", s.longPoll)
	c.run("list offsets", s.listOffsets)
	c.run("leader epochs", s.leaderEpochs)
	c.run("partition states", s.partitionStates)
	c.run("delete records", s.deleteRecords)
	c.run("configs", s.configs)
	c.run("record too large", s.tooLarge)
	c.run("more partitions", s.morePartitions)
	c.run("delete topic", s.deleteTopic)
	s.groups(c, "group")
	s.serverSide = true
	s.groups(c, "consumer protocol")
	c.finish()
}
