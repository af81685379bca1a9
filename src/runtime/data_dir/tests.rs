//! Starts that are counted, refused, and made durable; disks without room.

use super::*;

#[test]
fn counts_starts_and_keeps_the_cluster() {
    let tmp = tempfile::tempdir().unwrap();
    let first = DataDir::open(tmp.path(), 2, [7; 16]).unwrap();
    let id = first.cluster_id().to_owned();
    assert_eq!((first.incarnation(), first.wals()), (1, 2));
    drop(first);
    let second = DataDir::open(tmp.path(), 1, [9; 16]).unwrap();
    assert_eq!((second.incarnation(), second.wals()), (2, 2));
    assert_eq!(second.cluster_id(), id);
}

#[test]
fn refuses_a_second_owner_a_lost_wal_and_a_foreign_format() {
    let tmp = tempfile::tempdir().unwrap();
    let first = DataDir::open(tmp.path(), 2, [7; 16]).unwrap();
    let second = DataDir::open(tmp.path(), 2, [7; 16]);
    assert!(matches!(second, Err(DataDirError::InUse { .. })));
    drop(first);
    fs::remove_dir_all(wal_dir(tmp.path(), 1)).unwrap();
    let lost = DataDir::open(tmp.path(), 2, [7; 16]);
    assert!(matches!(lost, Err(DataDirError::MissingWal(_))));
    fs::write(
        tmp.path().join(META),
        "format = 9\ncluster_id = \"x\"\nincarnation = 1\nwals = 1\ncrc = 0\n",
    )
    .unwrap();
    let foreign = DataDir::open(tmp.path(), 2, [7; 16]);
    assert!(matches!(foreign, Err(DataDirError::Meta { .. })));
}

#[test]
fn a_full_disk_does_not_keep_it_from_counting_a_start() {
    let tmp = tempfile::tempdir().unwrap();
    drop(DataDir::open(tmp.path(), 1, [7; 16]).unwrap());
    let path = tmp.path().join(META);
    let text = fs::read(&path).unwrap();
    assert_eq!(text.len(), META_BYTES);
    for full in [libc::ENOSPC, libc::EDQUOT] {
        let refused = || Err(io::Error::from_raw_os_error(full));
        fs::write(&path, [b' '; META_BYTES]).unwrap();
        or_overwrite(refused(), &path, &text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
        // What it cannot be written over is as it was, and the reason is told.
        let longer = [&text[..], b"\n"].concat();
        for (path, contents) in [(&path, &longer), (&tmp.path().join("none"), &text)] {
            let error = or_overwrite(refused(), path, contents).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(full));
        }
    }
    let broken = Err(io::Error::from_raw_os_error(libc::EIO));
    let error = or_overwrite(broken, &path, &[b' '; META_BYTES]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    assert_eq!(fs::read(&path).unwrap(), text);
    assert_eq!(
        DataDir::open(tmp.path(), 1, [7; 16]).unwrap().incarnation(),
        2
    );
}

#[test]
fn the_names_of_what_it_creates_are_made_durable() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("a/b/c");
    let created = missing(&path);
    let expected = ["a/b/c", "a/b", "a"].map(|name| tmp.path().join(name));
    assert_eq!(created, expected);
    // One that is not there cannot be synced: it was tried, and its failure is told.
    assert!(keep_name(&path, &created).is_err());
    drop(DataDir::open(&path, 1, [7; 16]).unwrap());
    assert!(missing(&path).is_empty());
    keep_name(&path, &created).unwrap();
}

#[test]
fn cluster_ids_are_base64url() {
    assert_eq!(base64url([0; 16]), "A".repeat(22));
    assert_eq!(base64url([0xff; 16]), format!("{}w", "_".repeat(21)));
}
