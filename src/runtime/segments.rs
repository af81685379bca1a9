//! The segment driver: creates, heads, lists, shortens and removes WAL segment files as the core
//! asks for it, off the event loop where the kernel may block.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::data_dir::{is_full, replace_file, sync_dir};
use super::disk;
use super::handle::ShardHandle;
use super::steps::step;
use super::{buffer, process};
use crate::base::SegmentId;
use crate::base::limits::KIB;
use crate::wal::{MANIFEST_FILE, SegmentWork};

/// Room kept for a manifest: as much as one of thousands of segments takes.
const MANIFEST_RESERVE_BYTES: u64 = 256 * KIB as u64;

/// Does the work that comes up, for the shard's life.
pub async fn drive(shard: ShardHandle) {
    loop {
        while let Some((wal, work)) = shard.with(|core, _| core.poll_segment()) {
            let shard = shard.clone();
            super::spawn(async move { perform(&shard, wal, work).await });
        }
        shard.segment_work.wait().await;
    }
}

async fn perform(shard: &ShardHandle, wal: u16, work: SegmentWork) {
    match work {
        SegmentWork::Prepare { slot, bytes } => prepare(shard, wal, slot, bytes).await,
        SegmentWork::WriteHeader { slot, bytes } => {
            if let Err(error) = write_header(shard, wal, slot, &*bytes).await {
                process::abort("writing the header of a WAL segment failed", &error);
            }
            step!("segment.headed");
            shard.with(|core, _| core.on_header_written(slot));
        }
        SegmentWork::WriteManifest { bytes } => write_manifest(shard, wal, bytes).await,
        SegmentWork::Shorten { slot, bytes } => shorten(shard, wal, slot, bytes).await,
        SegmentWork::Delete { slot } => delete(shard, wal, slot).await,
    }
}

async fn prepare(shard: &ShardHandle, wal: u16, slot: u32, bytes: u32) {
    let path = shard.files.path(wal, slot);
    shard.files.close(wal, slot);
    let target = path.clone();
    let created = glommio::executor()
        .spawn_blocking(move || disk::create_zeroed(&target, u64::from(bytes)))
        .await;
    match created {
        Ok(()) => {
            step!("segment.prepared");
            shard.with(|core, _| core.on_prepared(slot));
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error,
                "cannot create a WAL segment; producers are held back until there is room");
            shard.with(|core, _| core.on_prepare_failed(slot));
        }
    }
}

async fn write_header(shard: &ShardHandle, wal: u16, slot: u32, header: &[u8]) -> io::Result<()> {
    let mut block = buffer::aligned(header.len());
    block.as_bytes_mut().copy_from_slice(header);
    let file = shard.files.file(wal, slot).await?;
    file.write(&Rc::new(block), 0).await
}

async fn write_manifest(shard: &ShardHandle, wal: u16, bytes: Vec<u8>) {
    let path = shard.files.wal_dir(wal).join(MANIFEST_FILE);
    let written = glommio::executor()
        .spawn_blocking(move || replace_manifest(&path, &bytes))
        .await;
    match written {
        Ok(()) => {
            step!("manifest.replaced");
            shard.with(|core, _| core.on_manifest_written(wal));
        }
        Err(error) if is_no_room(&error) => {
            tracing::warn!(wal, %error, "no room for the manifest of a WAL; trying again");
            shard.with(|core, _| core.on_manifest_failed(wal));
        }
        Err(error) => process::abort("writing the manifest of a WAL failed", &error),
    }
}

/// On a disk that is really full even the manifest, which frees segments, finds no room: then
/// a file that was made for this while there was room makes way.
fn replace_manifest(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let reserve = path.with_extension("reserve");
    match replace_file(path, bytes) {
        Err(error) if is_no_room(&error) && reserve.exists() => {
            std::fs::remove_file(&reserve)?;
            replace_file(path, bytes)?;
        }
        result => result?,
    }
    if !reserve.exists() {
        // Without room for it now it is made with a later manifest.
        let _ = disk::create_zeroed(&reserve, MANIFEST_RESERVE_BYTES);
    }
    Ok(())
}

async fn shorten(shard: &ShardHandle, wal: u16, slot: u32, bytes: u32) {
    let path = shard.files.path(wal, slot);
    let target = path.clone();
    let shortened = glommio::executor()
        .spawn_blocking(move || disk::shorten(&target, u64::from(bytes)))
        .await;
    match shortened {
        Ok(()) => {
            step!("segment.shortened");
            shard.with(|core, _| core.on_shortened(wal, slot));
        }
        Err(error) if is_no_room(&error) => {
            tracing::warn!(path = %path.display(), %error,
                "cannot give back what is unused of a WAL segment; trying again");
            shard.with(|core, _| core.on_shorten_failed(wal, slot));
        }
        Err(error) => {
            process::abort(&format!("shortening {} failed", path.display()), &error);
        }
    }
}

async fn delete(shard: &ShardHandle, wal: u16, slot: u32) {
    shard.files.close(wal, slot);
    let path = shard.files.path(wal, slot);
    let dir = shard.files.wal_dir(wal);
    let removed = glommio::executor()
        .spawn_blocking(move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                step!("segment.removed");
                sync_dir(&dir)
            }
        })
        .await;
    if let Err(error) = removed {
        tracing::warn!(wal, slot, %error, "cannot remove a WAL segment that is not needed");
    }
    step!("segment.deleted");
    shard.with(|core, _| core.on_deleted(wal, slot));
}

/// No space, or no descriptor: both may come back, and nothing is half done.
fn is_no_room(error: &io::Error) -> bool {
    let no_descriptor = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    no_descriptor || is_full(error)
}

/// Gives back segments of other shards' WALs that are needed here no more, for the
/// shard's life.
pub async fn drive_releases(shard: ShardHandle) {
    loop {
        while let Some((keeper, segment)) = shard.with(|core, _| core.poll_release()) {
            release(&shard, keeper, segment).await;
        }
        shard.release_work.wait().await;
    }
}

async fn release(shard: &ShardHandle, keeper: crate::base::ShardId, segment: SegmentId) {
    shard.files.forget(segment);
    step!("segment.released");
    shard
        .ask(keeper, crate::shard::ShardRequest::ReleaseSegment(segment))
        .await;
}
