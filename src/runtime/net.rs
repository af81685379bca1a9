//! One client connection as bytes: a socket that a reading and a writing task
//! share on one core.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::read_buffer::ReadBuffer;
use crate::base::limits::{
    CONNECTION_IDLE_MS_MAX, SOCKET_STALL_MS_MAX, SOCKET_WRITE_BYTES_MAX, SOCKET_WRITE_PIECES_MAX,
};

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
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on `address`; several shards may listen on one port (SO_REUSEPORT).
    #[allow(
        unsafe_code,
        reason = "glommio's own bind leaves out SO_REUSEADDR, and takes no other socket"
    )]
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
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
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        // SAFETY: the descriptor is open, a listening socket, and given away here.
        Ok(Listener(unsafe {
            TcpListener::from_raw_fd(socket.into_raw_fd())
        }))
    }

    /// The next connection. One that its peer has already given up is passed over.
    ///
    /// # Errors
    /// That of accepting, which is about this host and not about a peer.
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            let stream = self.0.accept().await.map_err(io::Error::from)?;
            if let Ok(connection) = Connection::new(stream) {
                return Ok(connection);
            }
        }
    }
}

/// A connected socket; clones are the same socket.
#[derive(Clone, Debug)]
pub struct Connection {
    stream: Rc<RefCell<TcpStream>>,
    peer: SocketAddr,
    read_timeout_ms: Rc<Cell<u64>>,
}

impl Connection {
    fn new(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nodelay(true).map_err(io::Error::from)?;
        stream
            .set_write_timeout(Some(Duration::from_millis(SOCKET_STALL_MS_MAX)))
            .map_err(io::Error::from)?;
        let peer = stream.peer_addr().map_err(io::Error::from)?;
        Ok(Connection {
            stream: Rc::new(RefCell::new(stream)),
            peer,
            read_timeout_ms: Rc::new(Cell::new(0)),
        })
    }

    fn set_read_timeout(&self, ms: u64) -> io::Result<()> {
        if self.read_timeout_ms.replace(ms) != ms {
            let timeout = Some(Duration::from_millis(ms));
            self.stream
                .borrow()
                .set_read_timeout(timeout)
                .map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Appends what the socket has to `buffer`; 0 when the peer has closed. `frame`
    /// is the size of the frame that is being read, 0 while it is not known. An error when
    /// nothing comes for `stall_ms_max`, by default the longest that a client may be idle.
    pub async fn read(
        &self,
        buffer: &mut ReadBuffer,
        frame: usize,
        stall_ms_max: Option<u64>,
    ) -> io::Result<usize> {
        self.set_read_timeout(stall_ms_max.unwrap_or(CONNECTION_IDLE_MS_MAX))?;
        let space = buffer.space(frame);
        let n = poll_fn(|cx| {
            let mut stream = self.stream.borrow_mut();
            Pin::new(&mut *stream).poll_read(cx, space)
        })
        .await?;
        buffer.filled(n);
        Ok(n)
    }

    /// Writes all of `pieces`, in few system calls, and empties it.
    pub async fn write_all(&self, pieces: &mut VecDeque<Bytes>) -> io::Result<()> {
        while !pieces.is_empty() {
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
        }
        Ok(())
    }

    /// Ends reading: the reading task sees the end of the stream, responses still go out.
    pub async fn stop_reading(&self) {
        self.end(std::net::Shutdown::Read).await;
    }

    /// Ends both directions, so that the other task's read or write returns.
    pub async fn shutdown(&self) {
        self.end(std::net::Shutdown::Both).await;
    }

    async fn end(&self, how: std::net::Shutdown) {
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
