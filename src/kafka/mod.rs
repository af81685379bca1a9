//! The wire: Kafka's protocol as bytes. Owns the table of APIs and versions,
//! error codes, the bounded borrowing reader, the rope writer, frames, the
//! record batch and one file per API under `messages/`. Stateless, on every
//! core; never decides anything and never trusts a length.
//!
//! Reading order: [`api`] (what exists), [`wire`] (how a value looks on the
//! wire), [`schema`] (how a message is declared), then any file of [`messages`].

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod api;
pub mod batch;
pub mod compression;
pub mod error_code;
pub mod frame;
pub mod messages;
pub mod reader;
pub mod record;
pub mod rope;
pub mod schema;
pub mod varint;
pub mod wire;

pub use api::ApiKey;
pub use error_code::ErrorCode;
pub use frame::RequestHeader;
pub use messages::{Request, Response};
pub use reader::{Reader, WireError};
pub use rope::{EncodedFrame, Rope};
pub use wire::{Records, Version, Wire};
