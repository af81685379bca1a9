package main

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// refused is nil only if err is the wanted refusal.
func refused(err, wanted error) error {
	if !errors.Is(err, wanted) {
		return fmt.Errorf("expected the refusal %v, got %v", wanted, err)
	}
	return nil
}

func (s suite) create(topic string, partitions int32, configs map[string]string) error {
	ctx, cancel := bounded()
	defer cancel()
	given := map[string]*string{}
	for name, value := range configs {
		given[name] = &value
	}
	_, err := s.admin.CreateTopic(ctx, partitions, -1, given, topic)
	return err
}

func (s suite) cluster() error {
	ctx, cancel := bounded()
	defer cancel()
	metadata, err := s.admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if metadata.Cluster == "" || len(metadata.Brokers) == 0 {
		return fmt.Errorf("no cluster or no brokers in %v", metadata)
	}
	served, err := s.admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	// Every broker is asked.
	return equal(len(served), len(metadata.Brokers), "brokers that answered ApiVersions")
}

func (s suite) createTopic() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("explicit")
	if err := s.create(topic, partitions, nil); err != nil {
		return err
	}
	listed, err := s.admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if err := equal(len(listed[topic].Partitions), partitions, "partitions"); err != nil {
		return err
	}
	for _, p := range listed[topic].Partitions {
		if p.Err != nil || p.Leader < 0 {
			return fmt.Errorf("no leader: %v", p)
		}
	}
	if err := refused(s.create(topic, partitions, nil), kerr.TopicAlreadyExists); err != nil {
		return err
	}
	if err := refused(s.create("not/a/topic", 1, nil), kerr.InvalidTopicException); err != nil {
		return err
	}
	return refused(s.create(topicName("zero"), 0, nil), kerr.InvalidPartitions)
}

func (s suite) listOffsets() error {
	ctx, cancel := bounded()
	defer cancel()
	type lister func() (kadm.ListedOffsets, error)
	after := func(millisecond int64, topic string) lister {
		return func() (kadm.ListedOffsets, error) { return s.admin.ListOffsetsAfterMilli(ctx, millisecond, topic) }
	}
	for _, codec := range codecs {
		topic := topicName(codec.name)
		for _, asked := range []struct {
			what   string
			list   lister
			wanted int64
		}{
			{"start", func() (kadm.ListedOffsets, error) { return s.admin.ListStartOffsets(ctx, topic) }, 0},
			{"end", func() (kadm.ListedOffsets, error) { return s.admin.ListEndOffsets(ctx, topic) }, records},
			{"max timestamp", func() (kadm.ListedOffsets, error) { return s.admin.ListMaxTimestampOffsets(ctx, topic) }, 38},
			{"local start", func() (kadm.ListedOffsets, error) { return s.admin.ListLocalLogStartOffsets(ctx, topic) }, 0},
			{"before the first", after(timestamp(0).UnixMilli()-5_000, topic), 0},
			{"exact", after(timestamp(12).UnixMilli(), topic), 12},
			{"between two", after(timestamp(27).UnixMilli()+1, topic), 28},
			{"past the last", after(timestamp(38).UnixMilli()+1, topic), records}, // kadm then says the end
		} {
			listed, err := asked.list()
			if err != nil {
				return err
			}
			for partition := range int32(partitions) {
				offset, ok := listed.Lookup(topic, partition)
				if !ok || offset.Err != nil {
					return fmt.Errorf("%s of partition %d: %v", asked.what, partition, offset.Err)
				}
				if err := equal(offset.Offset, asked.wanted, "%s %s of partition %d", codec.name, asked.what, partition); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s suite) leaderEpochs() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("gzip")
	ends, err := s.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	var asked kadm.OffsetForLeaderEpochRequest
	for partition := range int32(partitions) {
		asked.Add(topic, partition, ends[topic][partition].LeaderEpoch)
	}
	answers, err := s.admin.OffsetForLeaderEpoch(ctx, asked)
	if err != nil {
		return err
	}
	for partition := range int32(partitions) {
		answer := answers[topic][partition]
		if answer.Err != nil {
			return answer.Err
		}
		if err := equal(answer.LeaderEpoch, ends[topic][partition].LeaderEpoch, "epoch of partition %d", partition); err != nil {
			return err
		}
		if err := equal(answer.EndOffset, records, "end of the epoch in partition %d", partition); err != nil {
			return err
		}
	}
	return nil
}

func (s suite) partitionStates() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("lz4")
	var asked kadm.TopicsSet
	for partition := range int32(partitions) {
		asked.Add(topic, partition)
	}
	described, err := s.admin.DescribeProducers(ctx, asked)
	if err != nil {
		return err
	}
	for _, partition := range described[topic].Partitions {
		if partition.Err != nil {
			return partition.Err
		}
		if err := equal(len(partition.ActiveProducers), 1, "producers in partition %d", partition.Partition); err != nil {
			return err
		}
	}
	directories, err := s.admin.DescribeAllLogDirs(ctx, asked)
	if err != nil {
		return err
	}
	found := 0
	directories.Each(func(directory kadm.DescribedLogDir) {
		for range directory.Topics[topic] {
			found++
		}
	})
	if err := equal(found, partitions, "partitions in the log directories"); err != nil {
		return err
	}
	elected, err := s.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, asked)
	if err != nil {
		return err
	}
	for _, partition := range elected[topic] {
		if err := refused(partition.Err, kerr.ElectionNotNeeded); err != nil {
			return err
		}
	}
	return nil
}

func (s suite) deleteRecords() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("zstd")
	until := kadm.Offsets{}
	until.AddOffset(topic, 0, 15, -1)
	until.AddOffset(topic, 1, -1, -1)
	answers, err := s.admin.DeleteRecords(ctx, until)
	if err != nil {
		return err
	}
	for partition, wanted := range []int64{15, records} {
		if err := equal(answers[topic][int32(partition)].LowWatermark, wanted, "low watermark of %d", partition); err != nil {
			return err
		}
	}
	if err := s.consume(topic, []int{0}, 15, records); err != nil {
		return err
	}
	if err := refused(s.consume(topic, []int{0}, 3, records), kerr.OffsetOutOfRange); err != nil {
		return err
	}
	beyond := kadm.Offsets{}
	beyond.AddOffset(topic, 2, records+1, -1)
	answers, err = s.admin.DeleteRecords(ctx, beyond)
	if err != nil {
		return err
	}
	return refused(answers.Error(), kerr.OffsetOutOfRange)
}

func (s suite) configs() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("configs")
	if err := s.create(topic, 1, map[string]string{"retention.ms": "7200000"}); err != nil {
		return err
	}
	is := func(name, wanted string) error {
		described, err := s.admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		for _, config := range described[0].Configs {
			if config.Key == name {
				return equal(config.MaybeValue(), wanted, "%s", name)
			}
		}
		return fmt.Errorf("%s is not described", name)
	}
	alter := func(name, value string) error {
		answers, err := s.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
		if err != nil {
			return err
		}
		return answers[0].Err
	}
	for _, step := range []func() error{
		func() error { return is("retention.ms", "7200000") },
		func() error { return is("max.message.bytes", "1048588") },
		func() error { return alter("retention.ms", "3600000") },
		func() error { return is("retention.ms", "3600000") },
		func() error { return refused(alter("no.such.config", "1"), kerr.InvalidConfig) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s suite) morePartitions() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("grown")
	if err := s.create(topic, 2, nil); err != nil {
		return err
	}
	answers, err := s.admin.UpdatePartitions(ctx, partitions+2, topic)
	if err != nil {
		return err
	}
	if err := answers.Error(); err != nil {
		return err
	}
	if err := s.produce(topic, partitions+2, 5); err != nil {
		return err
	}
	return s.consume(topic, upTo(partitions+2), 0, 5)
}

func (s suite) deleteTopic() error {
	ctx, cancel := bounded()
	defer cancel()
	topic := topicName("explicit")
	if _, err := s.admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	listed, err := s.admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	if listed.Has(topic) {
		return errors.New("still listed")
	}
	_, err = s.admin.DeleteTopic(ctx, topic)
	return refused(err, kerr.UnknownTopicOrPartition)
}
