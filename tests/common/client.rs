//! A Kafka client that does what it is told and nothing else: one connection, any
//! request in any version, as many in flight as the test likes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use corelane::kafka::api::ApiKey;
use corelane::kafka::frame::RequestHeader;
use corelane::kafka::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use corelane::kafka::messages::{Request, Response};
use corelane::kafka::reader::Reader;

/// No answer takes longer than this, or the test fails.
pub const ANSWER_MAX: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client {
    stream: TcpStream,
    scratch: BytesMut,
    next_correlation_id: i32,
    /// Requests that await their response: correlation id, API, version.
    sent: VecDeque<(i32, ApiKey, i16)>,
}

/// One response as it came.
#[derive(Debug)]
pub struct Frame {
    /// What stood behind the length.
    pub bytes: Bytes,
    /// The API that answers.
    pub api: ApiKey,
    /// The version that the request had.
    pub version: i16,
}

impl Frame {
    /// The response, which must have nothing behind it.
    pub fn decode<'a, R: Response<'a>>(&'a self) -> R {
        assert_eq!(R::API, self.api, "decoded as what was asked");
        let mut reader = Reader::new(&self.bytes);
        let (_, response) = R::decode(&mut reader, self.version)
            .unwrap_or_else(|error| panic!("{:?} v{}: {error}", self.api, self.version));
        assert_eq!(reader.remaining(), 0, "bytes behind the response");
        response
    }
}

/// The newest version of an API that the broker serves.
pub fn newest(api: ApiKey) -> i16 {
    api.spec().max
}

impl Client {
    /// A connection, which must come about.
    pub fn connect(address: SocketAddr) -> Client {
        Client::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// A connection, if it comes about.
    pub fn try_connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        Ok(Client {
            stream,
            scratch: BytesMut::new(),
            next_correlation_id: 1,
            sent: VecDeque::new(),
        })
    }

    /// Whether a broker answers there.
    pub fn is_served_at(address: SocketAddr) -> bool {
        let Ok(mut client) = Client::try_connect(address) else {
            return false;
        };
        let request = ApiVersionsRequest {
            client_software_name: "corelane-tests",
            client_software_version: "1",
        };
        let sent = client.try_send(4, &request).is_ok();
        let answer = if sent {
            client.try_receive().ok()
        } else {
            None
        };
        answer.is_some_and(|frame| {
            let response: ApiVersionsResponse<'_> = frame.decode();
            !response.error_code.is_error()
        })
    }

    /// The socket, to write what no codec would.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Gives up on an answer after this long.
    pub fn set_patience(&self, patience: Duration) {
        let set = self.stream.set_read_timeout(Some(patience));
        set.expect("a read timeout");
    }

    /// The bytes of a request, the length in front included.
    pub fn encode<'q, Q: Request<'q>>(version: i16, correlation_id: i32, request: &Q) -> Vec<u8> {
        let header = RequestHeader {
            api: Q::API,
            version,
            correlation_id,
            client_id: Some("test"),
        };
        let frame = request.encode(&mut BytesMut::new(), &header);
        frame.to_bytes().into()
    }

    /// Sends a request; its response is to be received later, in order.
    pub fn try_send<'q, Q: Request<'q>>(&mut self, version: i16, request: &Q) -> io::Result<()> {
        self.try_send_only(version, request)?;
        self.sent
            .push_back((self.next_correlation_id - 1, Q::API, version));
        Ok(())
    }

    /// Sends a request that gets no response.
    pub fn try_send_only<'q, Q: Request<'q>>(
        &mut self,
        version: i16,
        request: &Q,
    ) -> io::Result<()> {
        let header = RequestHeader {
            api: Q::API,
            version,
            correlation_id: self.next_correlation_id,
            client_id: Some("test"),
        };
        self.next_correlation_id += 1;
        let frame = request.encode(&mut self.scratch, &header);
        self.stream.write_all(&frame.to_bytes())
    }

    /// The next response, which must be that of the oldest request without one.
    pub fn try_receive(&mut self) -> io::Result<Frame> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length from the broker");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        let (correlation_id, api, version) = self
            .sent
            .pop_front()
            .expect("a response to a request that was sent");
        let found = bytes.first_chunk().map(|id| i32::from_be_bytes(*id));
        assert_eq!(found, Some(correlation_id), "responses in request order");
        Ok(Frame {
            bytes: bytes.into(),
            api,
            version,
        })
    }

    /// How many responses are still to come.
    pub fn outstanding(&self) -> usize {
        self.sent.len()
    }

    /// As [`Client::try_send`], and must succeed.
    pub fn send<'q, Q: Request<'q>>(&mut self, version: i16, request: &Q) {
        self.try_send(version, request)
            .unwrap_or_else(|error| panic!("sending {:?}: {error}", Q::API));
    }

    /// As [`Client::try_receive`], and must succeed.
    pub fn receive(&mut self) -> Frame {
        self.try_receive()
            .unwrap_or_else(|error| panic!("waiting for a response: {error}"))
    }

    /// One request and its response.
    pub fn call<'q, Q: Request<'q>>(&mut self, version: i16, request: &Q) -> Frame {
        self.send(version, request);
        self.receive()
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// As [`Client::send_raw`], giving up after the patience.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let patience = self.stream.read_timeout()?;
        self.stream.set_write_timeout(patience)?;
        self.stream.write_all(bytes)
    }

    /// The next response to bytes sent as they are, without its length.
    pub fn receive_raw(&mut self) -> Bytes {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("a response");
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("a response");
        bytes.into()
    }

    /// Tells the broker that nothing more will come.
    pub fn finish_sending(&self) {
        // The broker may have closed the connection already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads whatever comes until the broker closes the connection or patience ends.
    pub fn read_to_end(&mut self) {
        // Either end is fine.
        let _ = io::copy(&mut self.stream, &mut io::sink());
    }

    /// Whether the broker closes the connection within the patience, without a byte.
    pub fn is_closed_by_broker(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ),
        }
    }
}
