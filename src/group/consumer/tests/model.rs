//! Random groups against a model of their members, from seeds: members come and go, change their
//! minds, are silent, lose answers, give up late; topics grow; the process restarts at any
//! point. At every moment no partition is read by two members that are both still in; and once
//! everybody behaves, the group becomes stable with every partition read by somebody.
//!
//! A client of this model does not begin to read what it was told before its next heartbeat is
//! answered, and forgets it if that answer is lost; the next one says it again. KIP-848 needs
//! that: "I do not have it" may mean "not yet", and a partition is free once it was said.

use super::super::member::each;
use super::*;

const TOPICS: [(&str, u8); 3] = [("t", 1), ("u", 2), ("v", 3)];

/// Numbers that look random, the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What a client knows.
struct Client {
    id: Arc<str>,
    instance_id: Option<Arc<str>>,
    topics: Vec<Arc<str>>,
    epoch: i32,
    /// What it reads.
    owned: Partitions,
    /// What it was told to read and does not yet.
    told: Option<Partitions>,
    /// Its next heartbeat must say everything: an answer did not come.
    is_unsure: bool,
    is_here: bool,
}

struct Model {
    world: World,
    random: Random,
    clients: Vec<Client>,
    names: u64,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut model = Model {
            world: World::new(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            clients: Vec::new(),
            names: 0,
        };
        for number in 0..5 {
            let id = model.name();
            model.clients.push(Client {
                id,
                instance_id: (number < 2).then(|| format!("instance-{number}").into()),
                topics: vec!["t".into()],
                epoch: 0,
                owned: Partitions::new(),
                told: None,
                is_unsure: true,
                is_here: false,
            });
        }
        model
    }

    fn name(&mut self) -> Arc<str> {
        self.names += 1;
        format!("member-{}", self.names).into()
    }

    fn act(&mut self) {
        let who = self.random.below(self.clients.len() as u64) as usize;
        match self.random.below(24) {
            0 => self.world.restart(),
            1 => {
                let (name, id) = TOPICS[self.random.below(3) as usize];
                let more = 1 + self.random.below(2) as i32;
                let count = self.world.topics.named(name).map_or(0, |(_, count)| count);
                self.world.topics.set(name, id, (count + more).min(12));
            }
            2 => {
                let ms = 1 + self.random.below(50_000);
                self.world.pass(ms);
            }
            3 => self.leave(who),
            4 => {
                let reads = 1 + self.random.below(7);
                let wanted = TOPICS
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| reads >> i & 1 == 1);
                self.clients[who].topics = wanted.map(|(_, (name, _))| (*name).into()).collect();
                self.clients[who].is_unsure = true;
            }
            5..8 => self.world.pass(1000),
            8..11 => self.read_what_was_told(who),
            _ => {
                let is_lost = self.random.one_in(6);
                self.beat(who, is_lost);
            }
        }
        self.check();
    }

    fn read_what_was_told(&mut self, who: usize) {
        if let Some(told) = self.clients[who].told.take() {
            self.clients[who].owned = told;
        }
    }

    fn beat(&mut self, who: usize, is_lost: bool) {
        let client = &self.clients[who];
        let request = ConsumerHeartbeat {
            instance_id: client.instance_id.clone(),
            owned: Some(client.owned.clone()),
            ..match client.is_unsure || client.epoch == 0 {
                true => {
                    let topics: Vec<&str> = client.topics.iter().map(|name| &**name).collect();
                    ConsumerHeartbeat {
                        member_epoch: client.epoch,
                        ..join(&client.id, &topics)
                    }
                }
                false => heartbeat(&client.id, client.epoch),
            }
        };
        let reply = self.world.beat(&request);
        let client = &mut self.clients[who];
        match reply {
            _ if is_lost => {
                client.is_unsure = true;
                client.told = None;
            }
            Ok(reply) => {
                client.is_here = true;
                client.is_unsure = false;
                client.epoch = reply.member_epoch;
                if reply.assignment.is_some() {
                    client.told = reply.assignment;
                }
            }
            Err(_) => {
                // Fenced, unknown, or the instance has not been released: all over again.
                client.is_here = false;
                client.is_unsure = true;
                client.epoch = 0;
                client.owned.clear();
                client.told = None;
            }
        }
    }

    fn leave(&mut self, who: usize) {
        let epoch = match self.clients[who].instance_id.is_some() && self.random.one_in(2) {
            true => -2,
            false => -1,
        };
        let next = self.name();
        let client = &mut self.clients[who];
        let request = ConsumerHeartbeat {
            instance_id: client.instance_id.clone(),
            ..heartbeat(&client.id, epoch)
        };
        client.owned.clear();
        client.told = None;
        client.epoch = 0;
        client.is_here = false;
        client.is_unsure = true;
        client.id = next;
        // It may have been expelled long ago.
        self.world.beat(&request).ok();
    }

    fn check(&self) {
        let group = &self.world.group;
        let mut readers = BTreeMap::new();
        for client in &self.clients {
            if !group.members.contains_key(&client.id) {
                continue; // Its session is over, and it finds out with its next heartbeat.
            }
            for partition in each(&client.owned) {
                let other = readers.insert(partition, &client.id);
                assert!(
                    other.is_none(),
                    "{partition:?} is read by {other:?} and {}",
                    client.id
                );
            }
        }
        let held: usize = group
            .members
            .values()
            .map(|member| member.held.all().count())
            .sum();
        assert_eq!(held, group.owners.len(), "a partition is held twice");
        for member in group.members.values() {
            assert!(member.held.epoch <= group.group_epoch());
        }
        assert!(group.target_epoch <= group.group_epoch());
    }

    /// Everybody behaves from now on.
    fn settle(&mut self) {
        // Ids that nobody goes by any more must time out.
        for _ in 0..70 {
            self.world.pass(1000);
            for who in 0..self.clients.len() {
                self.read_what_was_told(who);
                self.beat(who, false);
                self.check();
            }
        }
        let group = &self.world.group;
        assert_eq!(
            (group.state(), group.members.len()),
            ("Stable", self.clients.len())
        );
        for (name, _) in TOPICS {
            let is_read = self
                .clients
                .iter()
                .any(|c| c.topics.iter().any(|t| &**t == name));
            let Some((id, count)) = self.world.topics.named(name).filter(|_| is_read) else {
                continue;
            };
            for partition in 0..count {
                let readers = self.clients.iter().filter(|client| {
                    client
                        .owned
                        .get(&id)
                        .is_some_and(|of_topic| of_topic.contains(&partition))
                });
                assert_eq!(readers.count(), 1, "{name} {partition}");
            }
        }
    }
}

#[test]
fn no_partition_has_two_readers_and_every_group_becomes_stable() {
    let mut restarts = 0;
    for seed in 1..=100 {
        let mut model = Model::new(seed);
        let mut epoch = 0;
        for _ in 0..300 {
            model.act();
            let now = model.world.group.group_epoch();
            assert!(now >= epoch, "seed {seed}: epochs go back");
            epoch = now;
        }
        model.settle();
        model.world.restart();
        restarts += 1;
        assert_eq!(model.world.group.state(), "Stable", "seed {seed}");
    }
    assert_eq!(restarts, 100);
}
