//! ListPartitionReassignments (46), version 0 (KIP-455): replicas on the move. A partition
//! has one replica and stays where it is while the broker runs, so there are none, whatever
//! is asked about; like Kafka's, the answer passes over topics it does not know.

use crate::kafka::frame::RequestHeader;
use crate::kafka::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use crate::server::Services;

/// Lists nothing.
pub async fn handle(
    _services: &Services,
    _request: &ListPartitionReassignmentsRequest<'_>,
    _header: &RequestHeader<'_>,
) -> ListPartitionReassignmentsResponse<'static> {
    ListPartitionReassignmentsResponse::default()
}
