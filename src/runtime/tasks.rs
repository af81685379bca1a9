//! The tasks of one core, counted, so that a clean stop can tell that none is left. A task
//! either ends by itself, or is a [`Driver`], which lives as long as its shard and is ended.

use std::cell::Cell;
use std::future::Future;

use glommio::Task;

thread_local! {
    /// How many there are on this core.
    static RUNNING: Cell<usize> = const { Cell::new(0) };
}

/// Starts a task on this core that goes on by itself.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(counted(future)).detach();
}

/// As [`spawn`], for a task whose end is waited for. `None` if it was cancelled.
pub fn start<T: 'static>(
    future: impl Future<Output = T> + 'static,
) -> impl Future<Output = Option<T>> {
    glommio::spawn_local(counted(future)).detach()
}

/// Starts a task that does not end by itself.
pub fn drive(future: impl Future<Output = ()> + 'static) -> Driver {
    Driver(glommio::spawn_local(counted(future)))
}

/// How many tasks have not ended on this core.
pub fn running() -> usize {
    RUNNING.get()
}

/// A task that is ended by its owner. Dropped, it ends a little later.
#[must_use = "a driver ends when it is dropped"]
#[derive(Debug)]
pub struct Driver(Task<()>);

impl Driver {
    /// Ends it where it waits; it has ended when this returns.
    pub async fn end(self) {
        self.0.cancel().await;
    }
}

/// Counts a task until it has ended, in whichever way.
fn counted<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let count = Count::new();
    async move {
        let _count = count;
        future.await
    }
}

struct Count;

impl Count {
    fn new() -> Count {
        RUNNING.set(RUNNING.get() + 1);
        Count
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use glommio::{LocalExecutorBuilder, Placement};

    use super::super::sleep_ms;
    use super::*;

    #[test]
    fn tasks_count_until_they_end_or_are_ended() {
        let test = async {
            let before = running();
            let driver = drive(pending());
            let ends = start(async {
                sleep_ms(1).await;
                7
            });
            assert_eq!(running(), before + 2);
            assert_eq!(ends.await, Some(7));
            assert_eq!(running(), before + 1);
            driver.end().await;
            assert_eq!(running(), before);
        };
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        executor.expect("an executor").run(test);
    }
}
