//! One client connection as bytes: a socket that a reading and a writing task
//! share on one core.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_lite::future;
use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::event::Event;
use super::read_buffer::{Next, ReadBuffer};
use super::read_pool::ReadPool;
use crate::base::limits::{
    KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES, READ_CARRIED_BYTES_MAX,
    SOCKET_WRITE_BYTES_MAX, SOCKET_WRITE_PIECES_MAX,
};
use crate::kafka::frame::LENGTH_BYTES;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// How often, and after which pause each, an address in use is asked for again.
const CHECKS_MAX: u32 = 300;
/// See [`CHECKS_MAX`].
const CHECK_PAUSE: Duration = Duration::from_millis(10);

/// Whether nobody listens on `address`. To be asked before the shards share the port: with
/// SO_REUSEPORT a second broker would silently take half of the connections.
///
/// Waits a few seconds for one who does: when a broker was killed, the kernel ends its
/// io_uring after the process itself, and the listening sockets with it.
pub fn check_free(address: SocketAddr) -> io::Result<()> {
    for _ in 0..CHECKS_MAX {
        match std::net::TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(CHECK_PAUSE),
            bound => return bound.map(drop),
        }
    }
    std::net::TcpListener::bind(address).map(drop)
}

/// A listening socket of one shard.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// How long its connections may be idle.
    idle: Option<Duration>,
}

impl Listener {
    /// Listens on `address`; several shards may listen on one port (SO_REUSEPORT). Connections
    /// may be idle for `idle_ms`, or for ever if that is negative.
    #[allow(
        unsafe_code,
        reason = "glommio's own bind leaves out SO_REUSEADDR, and takes no other socket"
    )]
    pub fn bind(address: SocketAddr, idle_ms: i64) -> io::Result<Listener> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        // Connections inherit it. Without it the remains of those that we closed, which the
        // kernel keeps for a minute, would make `check_free` refuse the next start.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        find_gone_peers(&socket)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        // SAFETY: the descriptor is open, a listening socket, and given away here.
        let socket = unsafe { TcpListener::from_raw_fd(socket.into_raw_fd()) };
        let idle = u64::try_from(idle_ms).ok().map(Duration::from_millis);
        Ok(Listener { socket, idle })
    }

    /// The next connection. One that its peer has already given up is passed over.
    ///
    /// # Errors
    /// That of accepting, which is about this host and not about a peer.
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            let stream = self.socket.accept().await.map_err(io::Error::from)?;
            if let Ok(connection) = Connection::new(stream, self.idle) {
                return Ok(connection);
            }
        }
    }
}

/// Has the kernel probe connections, which inherit it, when nothing comes or goes: a peer that
/// has gone without a word is found also where connections may be idle for ever.
///
/// Kafka and Redpanda do so with the times of the host, which are two hours by default. What
/// is not set is TCP_USER_TIMEOUT: it would end a consumer that is busy with what it
/// has and leaves the next response in its socket meanwhile.
fn find_gone_peers(socket: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(KEEPALIVE_IDLE_S))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(KEEPALIVE_INTERVAL_S))?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)
}

/// A connected socket; clones are the same socket.
#[derive(Clone, Debug)]
pub struct Connection {
    stream: Rc<RefCell<TcpStream>>,
    peer: SocketAddr,
    /// We have ended reading.
    ended: Rc<Event>,
}

impl Connection {
    fn new(stream: TcpStream, idle: Option<Duration>) -> io::Result<Connection> {
        stream.set_nodelay(true).map_err(io::Error::from)?;
        stream.set_read_timeout(idle).map_err(io::Error::from)?;
        let peer = stream.peer_addr().map_err(io::Error::from)?;
        Ok(Connection {
            stream: Rc::new(RefCell::new(stream)),
            peer,
            ended: Rc::default(),
        })
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads what the socket has into `buffer`, in memory of `pool`; 0 when the peer has
    /// closed. An error when nothing comes for longer than a client may be idle.
    pub async fn read(&self, buffer: &mut ReadBuffer, pool: &ReadPool) -> io::Result<usize> {
        loop {
            match buffer.next() {
                Next::Fill => {
                    let n = poll_fn(|cx| self.poll_read(cx, buffer.room())).await?;
                    buffer.on_filled(n);
                    return Ok(n);
                }
                Next::Lease(frame) => {
                    let lease = self.until_ended(pool.lease(frame)).await?;
                    buffer.put_into(lease, frame);
                }
                Next::Read { wait } => {
                    match poll_fn(|cx| self.poll_read_chunk(cx, buffer, pool)).await? {
                        Some(n) => return Ok(n),
                        None if wait => self.until_ended(pool.wait_for_chunk()).await?,
                        None => {
                            return poll_fn(|cx| self.poll_read_few(cx, buffer)).await;
                        }
                    }
                }
            }
        }
    }

    /// Reads into the open chunk; `None` if there is none with room.
    fn poll_read_chunk(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuffer,
        pool: &ReadPool,
    ) -> Poll<io::Result<Option<usize>>> {
        let read = pool.with_chunk(|chunk| {
            let room = buffer.offer(chunk, pool.is_short_of_leases());
            let n = ready!(self.poll_read(cx, room))?;
            if n > 0 {
                buffer.take(chunk, n);
            }
            Poll::Ready(Ok(Some(n)))
        });
        read.unwrap_or(Poll::Ready(Ok(None)))
    }

    /// Reads as much as a connection may keep in memory of its own.
    fn poll_read_few(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuffer,
    ) -> Poll<io::Result<usize>> {
        let mut memory = [0; READ_CARRIED_BYTES_MAX + LENGTH_BYTES];
        let few = memory.get_mut(..buffer.few()).unwrap_or_default();
        let n = ready!(self.poll_read(cx, few))?;
        buffer.take_few(few.get(..n).unwrap_or_default());
        Poll::Ready(Ok(n))
    }

    fn poll_read(&self, cx: &mut Context<'_>, memory: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        Pin::new(&mut *stream).poll_read(cx, memory)
    }

    /// Writes of `pieces` what the socket takes with one system call, and waits until it takes
    /// something; how much. What was written is taken out of `pieces`.
    pub async fn write_some(&self, pieces: &mut VecDeque<Bytes>) -> io::Result<usize> {
        let written = poll_fn(|cx| {
            let mut slices = [IoSlice::new(&[]); SOCKET_WRITE_PIECES_MAX];
            let mut count = 0;
            let mut bytes = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces.iter()) {
                *slice = IoSlice::new(piece);
                count += 1;
                bytes += piece.len();
                if bytes >= SOCKET_WRITE_BYTES_MAX {
                    break;
                }
            }
            let mut stream = self.stream.borrow_mut();
            Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count])
        })
        .await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        consume(pieces, written);
        Ok(written)
    }

    /// Ends reading: the reading task sees the end of the stream, responses still go out.
    pub async fn stop_reading(&self) {
        self.end(std::net::Shutdown::Read).await;
    }

    /// Ends both directions, so that the other task's read or write returns.
    pub async fn shutdown(&self) {
        self.end(std::net::Shutdown::Both).await;
    }

    /// Waits for memory, but not when nobody will want it any more.
    async fn until_ended<T>(&self, wait: impl Future<Output = T>) -> io::Result<T> {
        let ended = async {
            self.ended.wait().await;
            Err(io::ErrorKind::ConnectionAborted.into())
        };
        future::or(async { Ok(wait.await) }, ended).await
    }

    async fn end(&self, how: std::net::Shutdown) {
        self.ended.raise();
        // An error means that the socket is gone already, which is what we want.
        let _ = poll_fn(|cx| self.stream.borrow().poll_shutdown(cx, how)).await;
    }
}

fn consume(pieces: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = pieces.front_mut() {
        if first.len() > written {
            first.advance(written);
            return;
        }
        written -= first.len();
        pieces.pop_front();
    }
}
