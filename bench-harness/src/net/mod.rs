//! Sockets on a glommio executor: one stream shared by a reading and a writing
//! task of the same core, and reads that end where a large frame ends. No
//! Kafka here beyond the 4-byte length of a frame.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;

use anyhow::{Context, Result};
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;

mod frames;

pub use frames::FrameBuffer;

/// A connection that two tasks use at once. Borrows last for one poll only.
#[derive(Clone)]
pub struct SharedStream(Rc<RefCell<TcpStream>>);

impl SharedStream {
    /// Takes `stream` over and turns Nagle's algorithm off.
    pub fn new(stream: TcpStream) -> Result<SharedStream> {
        stream.set_nodelay(true).map_err(io::Error::from)?;
        Ok(SharedStream(Rc::new(RefCell::new(stream))))
    }

    /// Connects to `address`, which a resolver may still have to look up.
    pub async fn connect(address: &str) -> Result<SharedStream> {
        let stream = TcpStream::connect(resolve(address)?)
            .await
            .map_err(io::Error::from);
        SharedStream::new(stream.with_context(|| format!("connecting to {address}"))?)
    }

    /// Reads at least one byte, or 0 at the end of the stream.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)).await
    }

    /// Writes all of `bytes`.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written =
                poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)).await?;
            match bytes.get(written..) {
                Some(rest) if written > 0 => bytes = rest,
                _ => return Err(io::ErrorKind::WriteZero.into()),
            }
        }
        Ok(())
    }

    /// Ends both directions, which also wakes a task that waits to read.
    pub async fn shutdown(&self) {
        let how = std::net::Shutdown::Both;
        // The peer may be gone already, which is just as well.
        let _ = poll_fn(|cx| self.0.borrow_mut().poll_shutdown(cx, how)).await;
    }
}

/// The first address of `host:port`.
pub fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found = address
        .to_socket_addrs()
        .with_context(|| format!("{address} is not host:port"))?;
    found
        .next()
        .with_context(|| format!("{address} has no address"))
}

/// Wakes the tasks of this core that wait for some state to change.
#[derive(Default)]
pub struct Signal {
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// Lets every waiting task look again.
    pub fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }

    /// Waits until `ready` returns something; it is asked at once and after each [`Signal::wake`].
    pub async fn until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match ready() {
            Some(value) => std::task::Poll::Ready(value),
            None => {
                self.waiting.borrow_mut().push(cx.waker().clone());
                std::task::Poll::Pending
            }
        })
        .await
    }
}
