//! Who may commit and fetch the offsets of such a group. The offsets themselves are kept as those
//! of any group.

use std::sync::Arc;

use super::ConsumerGroup;
use crate::kafka::ErrorCode;

impl ConsumerGroup {
    /// Whether a commit may be made. `knows_epochs` says that the client speaks a version of
    /// OffsetCommit (9 and later) that knows what can go wrong here.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, UNSUPPORTED_VERSION.
    pub fn check_commit(
        &self,
        member_id: &Arc<str>,
        member_epoch: i32,
        knows_epochs: bool,
    ) -> Result<(), ErrorCode> {
        // An operator who sets the offsets of a group that nobody reads with.
        if member_epoch < 0 && self.is_empty() {
            return Ok(());
        }
        match self.members.get(member_id) {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(_) if !knows_epochs => Err(ErrorCode::UNSUPPORTED_VERSION),
            Some(member) if member.held.epoch != member_epoch => Err(ErrorCode::STALE_MEMBER_EPOCH),
            Some(_) => Ok(()),
        }
    }

    /// Whether offsets may be fetched; whoever does not say that it is a member may.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.
    pub fn check_fetch(
        &self,
        member_id: Option<&Arc<str>>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            return match member_epoch {
                ..0 => Ok(()),
                _ => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            };
        };
        match self.members.get(member_id) {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(member) if member.held.epoch != member_epoch => Err(ErrorCode::STALE_MEMBER_EPOCH),
            Some(_) => Ok(()),
        }
    }
}
