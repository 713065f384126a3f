//! A lean HTTP/1.1 client for generating load: one keep-alive connection, requests prepared as bytes, replies read
//! in place. It knows only what our server sends (`Content-Length` bodies, no redirects, no TLS), so that the
//! generator takes little of the cores that the server is measured on.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest reply taken.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed or was closed half-way.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The reply was not the HTTP this client knows.
    #[error("the reply cannot be read: {0}")]
    Malformed(String),
    /// The server answered, with an error.
    #[error("status {status}: {body}")]
    Status {
        /// The status code.
        status: u16,
        /// The start of the body.
        body: String,
    },
}

/// A reply; the body borrows the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The body of a successful reply; anything but 2xx is an error that quotes the body.
    pub fn ok(self) -> Result<&'a [u8], ClientError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let start = &self.body[..self.body.len().min(500)];
        Err(ClientError::Status { status: self.status, body: String::from_utf8_lossy(start).into_owned() })
    }
}

/// Writes a whole request to `buffer`, which is cleared first.
pub fn prepare(buffer: &mut Vec<u8>, method: &str, path: &str, key: Option<&str>, body: &[u8]) {
    use std::io::Write;

    buffer.clear();
    // Writing to a vector cannot fail.
    let _ = write!(buffer, "{method} {path} HTTP/1.1\r\nhost: bench\r\n");
    if let Some(key) = key {
        let _ = write!(buffer, "authorization: Bearer {key}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(buffer, "content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(body);
}

/// One keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    consumed: usize,
}

impl Connection {
    /// Connects, with Nagle's delay off.
    pub async fn open(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 << 10], filled: 0, consumed: 0 })
    }

    /// Sends a prepared request and reads the reply to its end.
    pub async fn send(&mut self, request: &[u8]) -> Result<Reply<'_>, ClientError> {
        self.stream.write_all(request).await?;
        self.buffer.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        loop {
            if let Some((status, start, length)) = head(&self.buffer[..self.filled])? {
                let end = start + length;
                if end > MAX_REPLY_BYTES {
                    return Err(ClientError::Malformed(format!("a body of {length} bytes")));
                }
                while self.filled < end {
                    self.fill(end).await?;
                }
                self.consumed = end;
                return Ok(Reply { status, body: &self.buffer[start..end] });
            }
            self.fill(0).await?;
        }
    }

    /// Reads once, growing the buffer to hold at least `end` bytes.
    async fn fill(&mut self, end: usize) -> Result<(), ClientError> {
        if self.filled == self.buffer.len() || end > self.buffer.len() {
            self.buffer.resize(end.max(2 * self.buffer.len()), 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        if read == 0 {
            return Err(ClientError::Connection(io::ErrorKind::UnexpectedEof.into()));
        }
        self.filled += read;
        Ok(())
    }
}

/// Status, start and length of the body; `None` while the head is incomplete.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, ClientError> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut reply = httparse::Response::new(&mut headers);
    let start = match reply.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(ClientError::Malformed(error.to_string())),
    };
    let status = reply.code.unwrap_or(0);
    if status == 204 || status == 304 {
        return Ok(Some((status, start, 0)));
    }
    let length = reply
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
        .ok_or_else(|| ClientError::Malformed("no content-length".into()))?;
    Ok(Some((status, start, length)))
}

#[cfg(test)]
mod tests;
