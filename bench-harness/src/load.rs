//! What the connections of one load share, and the timeline of a run: warm up,
//! measure, drain. It lives on the one core of the load generator.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use futures_lite::future;

use crate::clock;
use crate::measure::procstat::Usage;
use crate::measure::{Meter, Report};
use crate::net::Signal;

/// Shared by a load's connections and the task that measures them.
pub struct Load {
    /// Counts what completes.
    pub meter: Meter,
    /// Woken when the load is to stop, when a connection fails and when one ends.
    pub changed: Signal,
    stopping: Cell<bool>,
    running: Cell<usize>,
    failure: RefCell<Option<Error>>,
}

/// When a load is measured.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    /// Before counting; not used when `measured` is `None`.
    pub warmup: Duration,
    /// While counting; `None` counts until the connections end by themselves.
    pub measured: Option<Duration>,
    /// The server's process, to read its CPU time.
    pub server: Option<u32>,
}

impl Load {
    /// A load without connections.
    pub fn new() -> Rc<Load> {
        Rc::new(Load {
            meter: Meter::new(),
            changed: Signal::default(),
            stopping: Cell::new(false),
            running: Cell::new(0),
            failure: RefCell::new(None),
        })
    }

    /// Runs a connection on this executor. Its first failure ends the load.
    pub fn spawn(self: &Rc<Load>, connection: impl Future<Output = Result<()>> + 'static) {
        self.running.set(self.running.get() + 1);
        let load = Rc::clone(self);
        glommio::spawn_local(async move {
            if let Err(error) = connection.await {
                load.failure.borrow_mut().get_or_insert(error);
            }
            load.running.set(load.running.get() - 1);
            load.changed.wake();
        })
        .detach();
    }

    /// Whether connections are to finish what is in flight and end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Lets the connections end and waits for them.
    pub async fn stop(&self) -> Result<()> {
        self.stopping.set(true);
        self.changed.wake();
        self.changed
            .until(|| (self.has_ended() || self.has_failed()).then_some(()))
            .await;
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Starts connections, warms up and measures; the connections run on
    /// afterwards. A run without a set time counts from before its start.
    pub async fn measure(
        &self,
        what: &'static str,
        timeline: Timeline,
        start: impl Future<Output = Result<()>>,
    ) -> Result<Report> {
        let usage = || -> Result<(Usage, Option<Usage>)> {
            let server = timeline.server.map(Usage::of).transpose()?;
            Ok((Usage::of(std::process::id())?, server))
        };
        if timeline.measured.is_some() {
            start.await?;
            self.run_for(Some(timeline.warmup)).await?;
            return self
                .count(what, usage, self.run_for(timeline.measured))
                .await;
        }
        let to_the_end = async {
            start.await?;
            self.run_for(None).await
        };
        self.count(what, usage, to_the_end).await
    }

    async fn count(
        &self,
        what: &'static str,
        usage: impl Fn() -> Result<(Usage, Option<Usage>)>,
        counted: impl Future<Output = Result<()>>,
    ) -> Result<Report> {
        let (own_before, server_before) = usage()?;
        let started = clock::now();
        self.meter.set_running(true);
        counted.await?;
        self.meter.set_running(false);
        let seconds = started.elapsed().as_secs_f64();
        let (own, server) = usage()?;
        let server = server
            .zip(server_before)
            .map(|(after, before)| after - before);
        Ok(Report::new(
            what,
            seconds,
            &self.meter,
            own - own_before,
            server,
        ))
    }

    /// Lets time pass, or with `None` waits until every connection has ended.
    async fn run_for(&self, time: Option<Duration>) -> Result<()> {
        let over = async {
            match time {
                Some(time) => glommio::timer::sleep(time).await,
                None => self.changed.until(|| self.has_ended().then_some(())).await,
            }
        };
        future::or(over, self.changed.until(|| self.has_failed().then_some(()))).await;
        match (self.failure.take(), time) {
            (Some(error), _) => Err(error),
            (None, Some(_)) if self.has_ended() => bail!("every connection ended too early"),
            (None, _) => Ok(()),
        }
    }

    fn has_ended(&self) -> bool {
        self.running.get() == 0
    }

    fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }
}
