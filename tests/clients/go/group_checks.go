package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var fromStart [partitions]int

func (s suite) begin(what string) (topic, group string, err error) {
	topic = topicName(fmt.Sprintf("group-%s-%t", what, s.serverSide))
	return topic, "of-" + topic, s.create(topic, partitions, nil)
}

// joinAll starts one member for each of the sets of options.
func (s suite) joinAll(topic, group string, options ...[]kgo.Opt) ([]*member, error) {
	var members []*member
	for _, own := range options {
		m, err := s.join(topic, group, own...)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, share(members...)
}

func (s suite) groupShare() error {
	topic, group, err := s.begin("share")
	if err != nil {
		return err
	}
	patient := []kgo.Opt{kgo.SessionTimeout(patientSession)}
	members, err := s.joinAll(topic, group, patient, patient)
	if err != nil {
		return err
	}
	if err := s.produceGroup(topic, 0, each); err != nil {
		return err
	}
	if err := readTo(fromStart, each, members...); err != nil {
		return err
	}
	for _, m := range members {
		if err := m.commit(); err != nil {
			return err
		}
	}
	members[1].close()
	if err := share(members[0]); err != nil {
		return err
	}
	if err := s.produceGroup(topic, each, 2*each); err != nil {
		return err
	}
	defer members[0].close()
	return readTo(fromStart, 2*each, members...)
}

func (s suite) groupResume() error {
	topic, group, err := s.begin("resume")
	if err != nil {
		return err
	}
	if err := s.produceGroup(topic, 0, each); err != nil {
		return err
	}
	before, err := s.joinAll(topic, group, nil)
	if err != nil {
		return err
	}
	if err := readTo(fromStart, each, before...); err != nil {
		return err
	}
	wanted := map[int32]kgo.EpochOffset{}
	var resumed [partitions]int
	for partition := range partitions {
		resumed[partition] = 5 + 3*partition
		wanted[int32(partition)] = kgo.EpochOffset{Epoch: -1, Offset: int64(resumed[partition])}
	}
	ctx, cancel := bounded()
	defer cancel()
	var refusal error
	committed := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		refusal = err
		for _, topic := range answer.Topics {
			for _, partition := range topic.Partitions {
				if refusal == nil {
					refusal = kerr.ErrorForCode(partition.ErrorCode)
				}
			}
		}
	}
	before[0].client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: wanted}, committed)
	if refusal != nil {
		return refusal
	}
	before[0].close()
	after, err := s.joinAll(topic, group, nil)
	if err != nil {
		return err
	}
	defer after[0].close()
	return readTo(resumed, each, after...)
}

// groupProcess is a member in a process of its own, to be killed: this program with the arguments of memberMain.
func (s suite) groupProcess(topic, group string) (*exec.Cmd, error) {
	process := exec.Command(os.Args[0], "--member", s.bootstrap, topic, group, fmt.Sprint(s.serverSide))
	return process, process.Start()
}

func memberMain() {
	s := suite{bootstrap: os.Args[2], serverSide: os.Args[5] == "true"}
	m, err := s.join(os.Args[3], os.Args[4])
	if err != nil {
		os.Exit(1)
	}
	<-m.done
}

func (s suite) groupCrash() error {
	topic, group, err := s.begin("crash")
	if err != nil {
		return err
	}
	members, err := s.joinAll(topic, group, nil)
	if err != nil {
		return err
	}
	stays := members[0]
	defer stays.close()
	dies, err := s.groupProcess(topic, group)
	if err != nil {
		return err
	}
	_, err = until("the process joins", func() bool { return len(stays.partitions()) == partitions/2 }, stays)
	time.Sleep(2 * heartbeat) // a whole round of heartbeats, so that the group is stable
	_ = dies.Process.Kill()
	_ = dies.Wait()
	if err != nil {
		return err
	}
	waited, err := until("the dead member's partitions move on", func() bool { return len(stays.partitions()) == partitions }, stays)
	// Nobody leaves by losing the connection, as a client may come back.
	if err == nil && (waited < session-3*heartbeat || waited > session+12*time.Second) {
		return fmt.Errorf("taken away after %v", waited)
	}
	return err
}

func (s suite) groupStatic() error {
	topic, group, err := s.begin("static")
	if err != nil {
		return err
	}
	instance := func(id string) []kgo.Opt { return []kgo.Opt{kgo.InstanceID(id), kgo.SessionTimeout(patientSession)} }
	members, err := s.joinAll(topic, group, instance("a"), instance("b"))
	if err != nil {
		return err
	}
	stays, had := members[0], members[1].partitions()
	rounds := stays.rounds
	members[1].close()
	back, err := s.join(topic, group, instance("b")...)
	if err != nil {
		return err
	}
	defer stays.close()
	defer back.close()
	if _, err := until("its partitions are back", func() bool { return slices.Equal(back.partitions(), had) }, stays, back); err != nil {
		return err
	}
	if err := s.produceGroup(topic, 0, each); err != nil {
		return err
	}
	if err := readTo(fromStart, each, stays, back); err != nil {
		return err
	}
	return equal(stays.rounds, rounds, "rebalances that the other member saw")
}

func (s suite) groupCooperative() error {
	topic, group, err := s.begin("cooperative")
	if err != nil {
		return err
	}
	cooperative := []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}
	members, err := s.joinAll(topic, group, cooperative)
	if err != nil {
		return err
	}
	first := members[0]
	if err := s.produceGroup(topic, 0, each); err != nil {
		return err
	}
	if err := readTo(fromStart, each, first); err != nil {
		return err
	}
	if err := first.commit(); err != nil {
		return err
	}
	second, err := s.join(topic, group, cooperative...)
	if err != nil {
		return err
	}
	defer first.close()
	defer second.close()
	if err := share(first, second); err != nil {
		return err
	}
	slices.Sort(first.taken)
	if !slices.Equal(first.taken, second.partitions()) {
		return fmt.Errorf("the first gave up %v, the second has %v", first.taken, second.partitions())
	}
	if err := s.produceGroup(topic, each, 2*each); err != nil {
		return err
	}
	return readTo(fromStart, 2*each, first, second)
}
