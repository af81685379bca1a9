//! Wakes an executor that sleeps although it has work. glommio parks with tasks
//! ready to run when its preempt timer fires before the first of them did (a
//! thread that was descheduled for that long is enough), and then sleeps until
//! some other event; with a closed loop there is none. A timer of its own does
//! not help, since its task may be among those that wait to run. A wake from
//! another thread always reaches a sleeping executor, so a thread that does
//! nothing else bounds the sleep.

use std::future::{pending, poll_fn};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Poll, Waker};
use std::time::Duration;

use glommio::Task;

/// Longest sleep with work to do.
const PERIOD: Duration = Duration::from_millis(5);

/// Keeps its executor going until it is dropped.
pub struct Pacemaker {
    /// The thread ends when this is dropped.
    _stop: Sender<()>,
    _woken: Task<()>,
}

/// Starts the thread for the current executor.
pub fn start() -> Pacemaker {
    let (stop, stopped) = mpsc::channel();
    let woken = glommio::spawn_local(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        std::thread::spawn(move || keep_waking(&waker, &stopped));
        pending().await
    });
    Pacemaker {
        _stop: stop,
        _woken: woken,
    }
}

fn keep_waking(waker: &Waker, stopped: &Receiver<()>) {
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Woken(Sender<()>);

    impl Wake for Woken {
        fn wake(self: Arc<Woken>) {
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn wakes_until_it_is_stopped() {
        let (send_woken, woken) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let waker = Waker::from(Arc::new(Woken(send_woken)));
        let thread = std::thread::spawn(move || keep_waking(&waker, &stopped));
        for _ in 0..3 {
            woken.recv().unwrap();
        }
        drop(stop);
        thread.join().unwrap();
    }
}
