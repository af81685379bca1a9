//! Streams of frames of many sizes in reads of many sizes: what comes out, from where, and
//! what is left of the pool.

use std::collections::VecDeque;

use futures_lite::future::{block_on, poll_once};

use super::*;
use crate::base::limits::{KIB, MIB, READ_CHUNK_BYTES, REQUEST_ROUNDING_BYTES};

fn pool(chunks: usize, request_bytes: usize) -> ReadPool {
    let share = request_bytes as u64;
    ReadPool::new((chunks * READ_CHUNK_BYTES) as u64, share, share)
}

fn buffer(pool: &ReadPool) -> ReadBuffer {
    ReadBuffer::new(pool, Rc::default())
}

/// A frame of `total` bytes, its length included; its content tells its place in the stream.
fn frame(total: usize, seed: usize) -> Vec<u8> {
    let mut frame = ((total - LENGTH_BYTES) as i32).to_be_bytes().to_vec();
    frame.extend((0..total - LENGTH_BYTES).map(|i| ((i + seed) % 251) as u8));
    frame
}

/// One read from a socket that has `wire`, at most `step` bytes at a time. `None` if there
/// is no memory.
fn read(pool: &ReadPool, buffer: &mut ReadBuffer, wire: &[u8], step: usize) -> Option<usize> {
    let wire = &wire[..wire.len().min(step)];
    let copy = |room: &mut [u8]| {
        let n = room.len().min(wire.len());
        assert!(n > 0, "a read of nothing looks like the end of the stream");
        room[..n].copy_from_slice(&wire[..n]);
        n
    };
    loop {
        match buffer.next() {
            Next::Fill => {
                let n = copy(buffer.room());
                buffer.on_filled(n);
                return Some(n);
            }
            Next::Lease(frame) => {
                let lease = block_on(poll_once(pool.lease(frame)))?;
                buffer.put_into(lease, frame);
            }
            Next::Read { wait } => {
                let n = pool.with_chunk(|chunk| {
                    let n = copy(buffer.offer(chunk, pool.is_short_of_leases()));
                    buffer.take(chunk, n);
                    n
                });
                if n.is_some() || wait {
                    return n;
                }
                let n = wire.len().min(buffer.few());
                buffer.take_few(&wire[..n]);
                return Some(n);
            }
        }
    }
}

fn sizes(count: usize) -> Vec<usize> {
    let kinds = [
        14, 20, 100, 1100, 4096, 4097, 5000, 16_000, 66_000, 131_072, 131_073, 300_000, 1_000_000,
        30, 3_000_000,
    ];
    (0..count)
        .map(|i| kinds[(i * 7 + i / 5) % kinds.len()])
        .collect()
}

#[test]
fn a_stream_comes_out_as_it_went_in_whatever_is_kept() {
    let sizes = sizes(60);
    let frames: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(i, size)| frame(*size, i))
        .collect();
    let wire = frames.concat();
    for step in [1000, 4096, 65_536, usize::MAX] {
        let pool = pool(16, 32 * MIB);
        let mut buffer = buffer(&pool);
        let (mut rest, mut next) = (&wire[..], 0);
        let mut kept = VecDeque::new();
        while next < frames.len() {
            let n = read(&pool, &mut buffer, rest, step).expect("memory");
            rest = &rest[n..];
            while let Some(frame) = buffer.next_frame().unwrap() {
                assert_eq!(
                    frame,
                    frames[next][LENGTH_BYTES..],
                    "frame {next}, step {step}"
                );
                kept.push_back((next, frame));
                next += 1;
            }
            while kept.len() > 6 {
                let (number, frame) = kept.pop_front().unwrap();
                assert_eq!(
                    frame,
                    frames[number][LENGTH_BYTES..],
                    "memory in use was written over"
                );
            }
        }
        assert!(rest.is_empty());
        assert_eq!(buffer.state.get(), None);
    }
}

#[test]
fn every_byte_alone_makes_the_same_frames() {
    let frames: Vec<_> = [14, 15, 5000, 20]
        .iter()
        .map(|size| frame(*size, 3))
        .collect();
    let wire = frames.concat();
    // With chunks, and without any: then only what is small can be read.
    for (chunks, sizes) in [(4, &frames[..]), (0, &frames[..2])] {
        let pool = pool(chunks, MIB);
        let mut buffer = buffer(&pool);
        let mut found = Vec::new();
        for byte in wire.chunks(1) {
            if read(&pool, &mut buffer, byte, 1).is_none() {
                break;
            }
            while let Some(frame) = buffer.next_frame().unwrap() {
                found.push(frame);
            }
        }
        let expected: Vec<_> = sizes.iter().map(|f| &f[LENGTH_BYTES..]).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn large_frames_are_read_without_being_moved() {
    let (pool, frame) = (pool(8, 8 * MIB), frame(66_000, 0));
    let wire = frame.repeat(60);
    let mut buffer = buffer(&pool);
    let (mut rest, mut reads, mut moved) = (&wire[..], 0, 0);
    while !rest.is_empty() {
        let n = read(&pool, &mut buffer, rest, usize::MAX).unwrap();
        rest = &rest[n..];
        reads += 1;
        moved += buffer.carried.len();
        while buffer.next_frame().unwrap().is_some() {}
    }
    assert!(moved < wire.len() / 50, "{moved} bytes were moved");
    assert!(reads < 50, "{reads} reads for 60 frames");
}

#[test]
fn memory_is_used_again() {
    let pool = pool(4, 4 * MIB);
    let mut addresses = std::collections::HashSet::new();
    for size in [66_000, 900_000] {
        let wire = frame(size, 1).repeat(40);
        let mut buffer = buffer(&pool);
        let mut rest = &wire[..];
        addresses.clear();
        while !rest.is_empty() {
            let n = read(&pool, &mut buffer, rest, usize::MAX).unwrap();
            rest = &rest[n..];
            while let Some(frame) = buffer.next_frame().unwrap() {
                addresses.insert(frame.as_ptr() as usize / READ_CHUNK_BYTES);
            }
        }
        assert!(addresses.len() <= 6, "{size}: {} places", addresses.len());
    }
}

#[test]
fn what_is_held_is_bounded_and_comes_back() {
    let pool = pool(2, MIB);
    let mut buffers = Vec::new();
    // Half of a frame that needs a chunk, from as many connections as get one.
    let wire = frame(100_000, 0);
    loop {
        let mut buffer = buffer(&pool);
        let mut rest = &wire[..50_000];
        while !rest.is_empty() {
            match read(&pool, &mut buffer, rest, usize::MAX) {
                Some(n) => rest = &rest[n..],
                None => break,
            }
        }
        if !rest.is_empty() {
            break;
        }
        buffers.push(buffer);
    }
    assert!(buffers.len() >= 4, "{} connections", buffers.len());
    // Small frames go on all the same.
    let mut small = buffer(&pool);
    assert!(read(&pool, &mut small, &frame(1000, 5), usize::MAX).is_some());
    assert_eq!(small.next_frame().unwrap().unwrap().len(), 996);
    drop(buffers);
    let mut late = buffer(&pool);
    let mut rest = &wire[..];
    while !rest.is_empty() {
        let n = read(&pool, &mut late, rest, usize::MAX).expect("memory came back");
        rest = &rest[n..];
    }
    assert!(late.next_frame().unwrap().is_some());
}

#[test]
fn memory_may_come_back_from_another_core() {
    let pool = pool(1, MIB);
    for round in 0..50 {
        let mut buffer = buffer(&pool);
        let n = read(&pool, &mut buffer, &frame(3000, round), usize::MAX).expect("memory");
        assert_eq!(n, 3000);
        let frame = buffer.next_frame().unwrap().unwrap();
        drop(buffer);
        // The chunk goes with what is left of it.
        *pool.open_for_tests() = None;
        std::thread::spawn(move || drop(frame)).join().unwrap();
    }
}

#[test]
fn idle_connections_hold_nothing() {
    let pool = pool(4, MIB);
    let mut buffer = buffer(&pool);
    for round in 0..100 {
        read(&pool, &mut buffer, &frame(1100, round), usize::MAX).unwrap();
        while buffer.next_frame().unwrap().is_some() {}
    }
    assert!(buffer.ready.is_empty() && buffer.begun.is_none());
    assert_eq!(buffer.carried.capacity(), 0);
}

#[test]
fn a_length_alone_holds_little() {
    let pool = pool(4, 8 * MIB);
    let mut buffer = buffer(&pool);
    read(&pool, &mut buffer, &frame(5_000_000, 0)[..100], usize::MAX).unwrap();
    assert_eq!(buffer.state.get(), None);
    assert_eq!(buffer.next(), Next::Lease(5_000_000));
}

#[test]
fn what_never_fits_is_refused_at_its_length() {
    let pool = pool(4, 2 * MIB);
    let max = pool.frame_bytes_max();
    assert_eq!(max, 2 * MIB - 2 * LENGTH_BYTES);
    let good = frame(100, 0);
    for (bytes, refused) in [(max, false), (max + 1, true)] {
        let mut buffer = buffer(&pool);
        let wire = [&good[..], &(bytes as i32).to_be_bytes()].concat();
        read(&pool, &mut buffer, &wire, usize::MAX).unwrap();
        assert!(buffer.next_frame().unwrap().is_some(), "the one before it");
        let error = ReadError::TooLarge { bytes, max };
        let expected = if refused { Err(error) } else { Ok(None) };
        assert_eq!(buffer.next_frame(), expected);
    }
    const { assert!(REQUEST_ROUNDING_BYTES >= 4 * KIB) };
}

/// Reads all of `wire`, and forgets the frames; how many reads it took.
fn read_all(pool: &ReadPool, buffer: &mut ReadBuffer, wire: &[u8]) -> usize {
    let (mut rest, mut reads) = (wire, 0);
    while !rest.is_empty() {
        let n = read(pool, buffer, rest, usize::MAX).expect("memory");
        rest = &rest[n..];
        reads += 1;
        while buffer.next_frame().unwrap().is_some() {}
    }
    reads
}

#[test]
fn who_waits_for_memory_of_its_own_keeps_no_chunk_from_others() {
    let pool = pool(2, MIB);
    let large = frame(400_000, 0);
    let mut buffers: Vec<_> = (0..4).map(|_| buffer(&pool)).collect();
    for buffer in &mut buffers {
        // It reads as much at a time as anyone does, and has sent such requests before, one
        // at a time, so that nothing is known of the next when it comes.
        read_all(&pool, buffer, &frame(1000, 0).repeat(2000));
        for _ in 0..8 {
            assert_eq!(read_all(&pool, buffer, &large), 2, "reads for one request");
        }
    }
    // All memory for requests is in use.
    let _held = [0, 1].map(|_| block_on(poll_once(pool.lease(400_000))).expect("memory"));
    for buffer in &mut buffers {
        let n = read(&pool, buffer, &large, usize::MAX).expect("a little");
        assert!(n <= READ_CARRIED_BYTES_MAX, "{n} bytes were read");
        assert_eq!(buffer.next(), Next::Lease(400_000));
        assert!(buffer.begun.is_none(), "it keeps a chunk");
        assert_eq!(buffer.state.get(), None, "nothing is due from who waits");
    }
}

#[test]
fn nothing_is_due_while_memory_is_waited_for() {
    let pool = pool(2, MIB);
    let _held = block_on(poll_once(pool.lease(900_000))).expect("memory");
    let mut buffer = buffer(&pool);
    read_all(&pool, &mut buffer, &frame(1000, 0).repeat(2000));
    // In one read with what is before it: this could not be foreseen.
    let wire = [&frame(1000, 0)[..], &frame(400_000, 0)].concat();
    assert!(read(&pool, &mut buffer, &wire, usize::MAX).unwrap() > 100_000);
    assert!(buffer.next_frame().unwrap().is_some());
    assert_eq!(buffer.next(), Next::Lease(400_000));
    assert_eq!(buffer.state.get(), None);
    drop(_held);
    let lease = block_on(poll_once(pool.lease(400_000))).expect("memory came back");
    buffer.put_into(lease, 400_000);
    let begun = buffer.state.get().expect("now its rest is due");
    assert_eq!(begun.share, Share::Requests);
}

#[test]
fn while_memory_is_short_only_the_first_to_wait_can_keep_a_chunk() {
    let pool = pool(2, MIB);
    let mut first = buffer(&pool);
    let mut other = buffer(&pool);
    for buffer in [&mut first, &mut other] {
        read_all(&pool, buffer, &frame(1000, 0).repeat(2000));
    }
    let _held = block_on(poll_once(pool.lease(900_000))).expect("memory");
    let mut waits = Box::pin(pool.lease(400_000));
    assert!(block_on(poll_once(&mut waits)).is_none());
    let wire = [&frame(1000, 0).repeat(3)[..], &frame(400_000, 0)].concat();
    let mut rest = &wire[..];
    while !matches!(other.next(), Next::Lease(_)) {
        rest = &rest[read(&pool, &mut other, rest, usize::MAX).expect("memory")..];
        while other.next_frame().unwrap().is_some() {}
    }
    assert!(other.begun.is_none(), "it keeps a chunk");
    // Requests that fit a chunk still take little more than a read each.
    let wire = frame(66_000, 0).repeat(20);
    let reads = read_all(&pool, &mut first, &wire);
    assert!(reads <= 30, "{reads} reads for 20 requests");
}
