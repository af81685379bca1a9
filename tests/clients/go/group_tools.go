package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (s suite) groupTools() error {
	topic, group, err := s.begin("tools")
	if err != nil {
		return err
	}
	if err := s.produceGroup(topic, 0, each); err != nil {
		return err
	}
	members, err := s.joinAll(topic, group, nil)
	if err != nil {
		return err
	}
	ctx, cancel := bounded()
	defer cancel()
	if err := s.described(group, "Stable", 1); err != nil {
		return err
	}
	_, err = s.admin.DeleteGroup(ctx, group)
	if err := refused(err, kerr.NonEmptyGroup); err != nil {
		return err
	}
	members[0].close()
	if err := s.described(group, "Empty", 0); err != nil {
		return err
	}
	// Of a group without members anybody may set the offsets, with metadata.
	offsets := kadm.Offsets{}
	for partition := range partitions {
		offsets.Add(kadm.Offset{Topic: topic, Partition: int32(partition), At: int64(10 + partition), LeaderEpoch: -1, Metadata: "grüße"})
	}
	if err := s.admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return err
	}
	lags, err := s.lag(group, topic)
	if err != nil {
		return err
	}
	for partition := range partitions {
		lag := lags[topic][int32(partition)]
		if err := equal(lag.Commit.Metadata, "grüße", "metadata"); err != nil {
			return err
		}
		if err := equal(lag.Lag, int64(each-10-partition), "lag of partition %d", partition); err != nil {
			return err
		}
	}
	forgotten := kadm.TopicsSet{}
	forgotten.Add(topic, 2)
	deleted, err := s.admin.DeleteOffsets(ctx, group, forgotten)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return err
	}
	left, err := s.admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	if err := equal(len(left[topic]), partitions-1, "partitions with offsets after one is deleted"); err != nil {
		return err
	}
	if _, err := s.admin.DeleteGroup(ctx, group); err != nil {
		return err
	}
	listed, err := s.admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	if _, there := listed[group]; there {
		return fmt.Errorf("%s is still listed", group)
	}
	_, err = s.admin.DeleteGroup(ctx, group)
	return refused(err, kerr.GroupIDNotFound)
}

// lag gives what is committed and how much is left, of a group without members.
func (s suite) lag(group, topic string) (kadm.GroupLag, error) {
	ctx, cancel := bounded()
	defer cancel()
	if !s.serverSide {
		lags, err := s.admin.Lag(ctx, group)
		if err != nil {
			return nil, err
		}
		lagged := lags[group]
		return lagged.Lag, lagged.Error()
	}
	// kadm's own Lag asks for groups of the classic protocol only.
	committed, err := s.admin.FetchOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	ends, err := s.admin.ListEndOffsets(ctx, topic)
	return kadm.CalculateGroupLag(kadm.DescribedGroup{State: "Empty"}, committed, ends), err
}

// described checks a group's state and the number of its members, in the list and in the description.
func (s suite) described(group, state string, members int) error {
	ctx, cancel := bounded()
	defer cancel()
	listed, err := s.admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	if err := equal(listed[group].State, state, "listed state"); err != nil {
		return err
	}
	found, assigned, count, err := s.describe(group)
	if err != nil {
		return err
	}
	if err := equal(found, state, "described state"); err != nil {
		return err
	}
	partitionCount := 0
	for _, of := range assigned {
		partitionCount += len(of)
	}
	if err := equal(partitionCount, members*partitions, "partitions assigned"); err != nil {
		return err
	}
	return equal(count, members, "members")
}

// describe gives a group's state, what is assigned and the number of members: each protocol has an API of its own.
func (s suite) describe(group string) (string, kadm.TopicsSet, int, error) {
	ctx, cancel := bounded()
	defer cancel()
	if s.serverSide {
		described, err := s.admin.DescribeConsumerGroups(ctx, group)
		found := described[group]
		return found.State, found.AssignedPartitions(), len(found.Members), err
	}
	described, err := s.admin.DescribeGroups(ctx, group)
	found := described[group]
	return found.State, found.AssignedPartitions(), len(found.Members), err
}

// groups runs all at the same time: most of it is the broker's own waiting for members that may still come or be dead.
func (s suite) groups(c *checks, kind string) {
	named := map[string]func() error{
		kind + ": two members share, one leaves": s.groupShare,
		kind + ": commit and resume":             s.groupResume,
		kind + ": a member crashes":              s.groupCrash,
		kind + ": cooperative rebalance":         s.groupCooperative,
		kind + ": tools":                         s.groupTools,
	}
	// A static member of the newer protocol leaves without saying which instance it is, which Kafka refuses as well.
	if !s.serverSide {
		named[kind+": static member restarts"] = s.groupStatic
	}
	c.together(named)
}
