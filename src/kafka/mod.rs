//! The wire: Kafka's protocol as bytes. Owns the table of APIs and versions,
//! error codes, the bounded borrowing reader, the rope writer, frames, the
//! record batch and one file per API under `messages/`. Stateless, on every
//! core; never decides anything and never trusts a length.

pub mod batch;
