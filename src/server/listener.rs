//! Accepting connections on one shard, until the broker is told to stop; then ending
//! them: what was asked is answered, nothing new is read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::Context;
use futures_lite::future;

use super::stall::{Activity, Wanted};
use super::{Services, session};
use crate::base::ShardId;
use crate::runtime::net::{Connection, Listener};
use crate::runtime::signals;

/// Pause after a connection could not be accepted, milliseconds: most likely there are no
/// descriptors left, and closing others takes a moment.
const ACCEPT_RETRY_MS: u64 = 50;
/// Pause between two looks at all connections, milliseconds.
const LOOK_MS: u64 = 250;
/// How long a stop waits for connections to end, milliseconds.
const DRAIN_MS_MAX: u64 = 5000;

/// How long those that are cut off then may take, milliseconds.
const CUT_OFF_MS_MAX: u64 = 1000;

type Connections = Rc<RefCell<HashMap<u64, (Connection, Rc<Activity>)>>>;

/// Accepts and serves connections on this shard until the broker stops.
pub async fn serve(services: Services) -> anyhow::Result<()> {
    let shard = services.shard.clone();
    let settings = &services.broker.settings;
    let address = settings.listen_of(shard.id());
    let listener = Listener::bind(address, settings.connections_max_idle_ms)
        .with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(shard = shard.id().0, %address, "listening");
    let mut drivers = Vec::new();
    if shard.id() == ShardId(0) {
        let shard = shard.clone();
        drivers.push(crate::runtime::drive(async move {
            signals::wait_for_stop().await;
            tracing::info!("told to stop; finishing what was begun");
            shard.stop_all().await;
        }));
    }
    let connections = Connections::default();
    let stalls = look_for_stalls(services.clone(), connections.clone());
    drivers.push(crate::runtime::drive(stalls));
    future::or(accept(&listener, &services, &connections), shard.stopped()).await;
    drop(listener);
    drain(&connections).await;
    for driver in drivers {
        driver.end().await;
    }
    Ok(())
}

async fn accept(listener: &Listener, services: &Services, connections: &Connections) {
    let mut next_id = 0;
    loop {
        wait_for_room(services, connections).await;
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; see the limit of open files");
                crate::runtime::sleep_ms(ACCEPT_RETRY_MS).await;
                continue;
            }
        };
        next_id += 1;
        let id = next_id;
        let activity = Rc::new(Activity::default());
        let known = (connection.clone(), activity.clone());
        connections.borrow_mut().insert(id, known);
        let (services, connections) = (services.clone(), connections.clone());
        crate::runtime::spawn(async move {
            session::run(connection, services, activity).await;
            connections.borrow_mut().remove(&id);
        });
    }
}

/// Those that come while there are too many wait in the listening socket's queue.
async fn wait_for_room(services: &Services, connections: &Connections) {
    let most = services.broker.connections_per_shard;
    if connections.borrow().len() < most {
        return;
    }
    tracing::warn!(
        connections = most,
        "cannot accept a connection before another ends; see the limit of open files"
    );
    while connections.borrow().len() >= most {
        crate::runtime::sleep_ms(ACCEPT_RETRY_MS).await;
    }
}

/// Ends connections that hold memory and do not get on.
async fn look_for_stalls(services: Services, connections: Connections) {
    let shard = &services.shard;
    let is_short = |wanted| match wanted {
        Wanted::Requests(share) => shard.read_pool.is_short(share),
        Wanted::Responses => shard.response_units.is_short(),
    };
    loop {
        crate::runtime::sleep_ms(LOOK_MS).await;
        let now_ms = shard.now().mono_ms;
        let mut over = Vec::new();
        for (connection, activity) in connections.borrow().values() {
            if let Some(why) = activity.look(now_ms, is_short) {
                over.push((connection.clone(), why));
            }
        }
        for (connection, why) in over {
            tracing::info!(peer = %connection.peer(), why, "connection closed");
            connection.shutdown().await;
        }
    }
}

fn open(connections: &Connections) -> Vec<Connection> {
    let connections = connections.borrow();
    connections.values().map(|(c, _)| c.clone()).collect()
}

async fn drain(connections: &Connections) {
    for connection in open(connections) {
        connection.stop_reading().await;
    }
    let all_ended = || connections.borrow().is_empty();
    if crate::runtime::within(DRAIN_MS_MAX, all_ended).await {
        return;
    }
    // Those who do not read what they asked for.
    let left = open(connections);
    tracing::info!(connections = left.len(), "cut off at the stop");
    for connection in left {
        connection.shutdown().await;
    }
    crate::runtime::within(CUT_OFF_MS_MAX, all_ended).await;
}
