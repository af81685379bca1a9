//! When what is uploaded in which object: cuts by size, age and need, several puts under
//! way, retries, and the order in which they are recorded. The driver makes the
//! objects and puts them; of records it sees offsets only.

mod pace;
mod pending;
mod states;
mod uploader;

pub use pace::{Pace, PutError};
pub use pending::{Part, Pending};
pub use states::StateNeeds;
pub use uploader::{Cut, UploadConfig, UploadStats, UploadWork, Uploader};
