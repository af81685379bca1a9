//! A broker of one process, one topic and no disk, on blocking threads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail, ensure};

use crate::codec::reader::Reader;
use crate::codec::writer::{Header, Writer};
use crate::codec::{api, batch, fetch, produce};

/// The broker's one topic.
pub const TOPIC: &str = "bench";

/// Batches of each partition as (base offset, bytes).
type Partition = Vec<(i64, Vec<u8>)>;

/// A running broker; its threads end with the test process.
#[derive(Clone)]
pub struct FakeBroker {
    address: SocketAddr,
    partitions: Arc<Mutex<Vec<Partition>>>,
}

impl FakeBroker {
    /// Starts a broker without a topic.
    pub fn start() -> FakeBroker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let broker = FakeBroker {
            address,
            partitions: Arc::default(),
        };
        let serving = broker.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let broker = serving.clone();
                std::thread::spawn(move || broker.serve(stream.unwrap()));
            }
        });
        broker
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Appends `records` records to a partition, in batches of `per_batch`.
    pub fn fill(&self, partition: usize, records: usize, per_batch: usize) {
        for _ in 0..records / per_batch {
            self.append(partition, &batch::build(per_batch, 100, 1));
        }
    }

    /// Makes the topic.
    pub fn create(&self, partitions: usize) {
        self.partitions
            .lock()
            .unwrap()
            .resize(partitions, Vec::new());
    }

    /// Log end offset of a partition.
    pub fn end(&self, partition: usize) -> i64 {
        let partitions = self.partitions.lock().unwrap();
        partitions[partition]
            .last()
            .map_or(0, |(base, batch)| base + records(batch))
    }

    /// Damages the batch at `index`.
    pub fn flip_a_bit(&self, partition: usize, index: usize) {
        let mut partitions = self.partitions.lock().unwrap();
        *partitions[partition][index].1.last_mut().unwrap() ^= 1;
    }

    fn append(&self, partition: usize, batch: &[u8]) -> i64 {
        let log = &mut self.partitions.lock().unwrap()[partition];
        let base = end(log);
        let mut batch = batch.to_vec();
        batch[..8].copy_from_slice(&base.to_be_bytes());
        log.push((base, batch));
        base
    }

    /// Ends with the connection, however that ends.
    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut frame)?;
            stream.write_all(&self.answer(&frame)?)?;
        }
    }

    fn answer(&self, frame: &[u8]) -> Result<Vec<u8>> {
        let mut reader = Reader::new(frame);
        let (key, version, correlation) = (reader.i16()?, reader.i16()?, reader.i32()?);
        reader.nullable_string()?;
        let mut writer = Writer::response(Header::Plain, correlation);
        match (key, version) {
            (api::API_VERSIONS, 0) => {
                writer.i16(0).i32(2);
                writer.i16(api::PRODUCE).i16(0).i16(10);
                writer.i16(api::FETCH).i16(4).i16(18);
            }
            (api::CREATE_TOPICS, 4) => {
                ensure!(
                    reader.i32()? == 1 && reader.string()? == TOPIC,
                    "another topic"
                );
                self.create(reader.i32()? as usize);
                writer.i32(0).i32(1).string(TOPIC).i16(0).i16(-1);
            }
            (api::METADATA, 7) => self.metadata(&mut writer),
            (api::LIST_OFFSETS, 1) => {
                reader.bytes(4 + 4)?;
                reader.string()?;
                reader.i32()?;
                let (partition, timestamp) = (reader.i32()?, reader.i64()?);
                let offset = if timestamp == -1 {
                    self.end(partition as usize)
                } else {
                    0
                };
                writer
                    .i32(1)
                    .string(TOPIC)
                    .i32(1)
                    .i32(partition)
                    .i16(0)
                    .i64(-1)
                    .i64(offset);
            }
            (api::PRODUCE, 10) => return self.produce(frame),
            (api::FETCH, fetch::VERSION) => self.fetch(&mut reader, &mut writer)?,
            _ => bail!("API {key} version {version}"),
        }
        Ok(writer.finish())
    }

    fn metadata(&self, writer: &mut Writer) {
        let partitions = self.partitions.lock().unwrap().len() as i32;
        writer
            .i32(0)
            .i32(1)
            .i32(7)
            .string("127.0.0.1")
            .i32(i32::from(self.address.port()));
        writer.i16(-1).i16(-1).i32(7);
        writer.i32(1).i16(0).string(TOPIC).i8(0).i32(partitions);
        for partition in 0..partitions {
            writer.i16(0).i32(partition).i32(7).i32(0);
            writer.i32(1).i32(7).i32(1).i32(7).i32(0);
        }
    }

    fn produce(&self, frame: &[u8]) -> Result<Vec<u8>> {
        let (template, asked) = produce::Template::parse(frame)?;
        let mut reader = Reader::new(frame);
        reader.bytes(8)?;
        reader.nullable_string()?;
        reader.skip_tags()?;
        reader.compact_nullable_string()?;
        reader.bytes(2 + 4)?; // acks, timeout
        reader.compact_array_length()?;
        reader.compact_nullable_string()?;
        reader.compact_array_length()?;
        let partition = reader.i32()? as usize;
        let length = reader.varint()? as usize - 1;
        let base = self.append(partition, reader.bytes(length)?);
        let mut out = Vec::new();
        template.respond(&mut out, asked.correlation, base);
        Ok(out)
    }

    fn fetch(&self, reader: &mut Reader<'_>, writer: &mut Writer) -> Result<()> {
        reader.bytes(4 + 4 + 4)?; // replica, wait, min bytes
        let bytes_max = reader.i32()? as usize;
        reader.bytes(1 + 4 + 4 + 4)?; // isolation, session, epoch, topics
        reader.string()?;
        reader.i32()?;
        let partition = reader.i32()?;
        reader.i32()?;
        let offset = reader.i64()?;
        let log = self.partitions.lock().unwrap()[partition as usize].clone();
        let end = end(&log);
        if offset >= end {
            // A broker would wait; the loop of a client must not depend on it.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let wanted: Vec<&[u8]> = log
            .iter()
            .filter(|(base, batch)| base + records(batch) > offset)
            .map(|(_, batch)| batch.as_slice())
            .collect();
        // Cut within a batch, as Kafka does, but never within the first.
        let first = wanted.first().map_or(0, |batch| batch.len());
        let mut found = wanted.concat();
        found.truncate(bytes_max.max(first));
        writer.i32(0).i16(0).i32(0).i32(1).string(TOPIC);
        writer
            .i32(1)
            .i32(partition)
            .i16(0)
            .i64(end)
            .i64(end)
            .i64(0)
            .i32(-1)
            .i32(-1);
        writer.i32(found.len() as i32).raw(&found);
        Ok(())
    }
}

fn end(log: &Partition) -> i64 {
    log.last().map_or(0, |(base, batch)| base + records(batch))
}

fn records(batch: &[u8]) -> i64 {
    let count = &batch[batch::RECORD_COUNT_AT..batch::HEADER_BYTES];
    i64::from(i32::from_be_bytes(count.try_into().unwrap()))
}
