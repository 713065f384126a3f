//! The client against a server that is a list of byte strings.

use tokio::net::TcpListener;

use super::*;

/// Serves one connection: for every reply, reads a request's head and body, then writes the pieces one by one.
async fn scripted(replies: Vec<Vec<&'static [u8]>>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut requests = Vec::new();
        for pieces in replies {
            requests.push(read_request(&mut stream).await);
            for piece in pieces {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        requests
    });
    (address, server)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "the client hung up");
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn replies_in_pieces_are_put_together_on_one_connection() {
    block_on(async {
        let (address, server) = scripted(vec![
            vec![b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n", b"\r\nhe", b"llo"],
            vec![b"HTTP/1.1 204 No Content\r\n\r\n"],
            vec![b"HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 2\r\n\r\n{}"],
        ])
        .await;
        let mut connection = Connection::open(address).await.unwrap();
        let mut request = Vec::new();
        prepare(&mut request, "POST", "/v1/events", Some("secret"), b"[1]");
        let reply = connection.send(&request).await.unwrap();
        assert_eq!((reply.status, reply.body), (200, b"hello".as_slice()));
        prepare(&mut request, "GET", "/health/ready", None, b"");
        assert_eq!(connection.send(&request).await.unwrap().ok().unwrap(), b"");
        let refused = connection.send(&request).await.unwrap().ok().unwrap_err();
        assert_eq!(refused.to_string(), "status 422: {}");

        let requests = server.await.unwrap();
        assert_eq!(
            requests[0],
            "POST /v1/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer secret\r\n\
             content-type: application/json\r\ncontent-length: 3\r\n\r\n[1]"
        );
        assert_eq!(requests[1], "GET /health/ready HTTP/1.1\r\nhost: bench\r\n\r\n");
    });
}

#[test]
fn a_body_larger_than_the_buffer_arrives_whole() {
    block_on(async {
        let body = vec![b'x'; 100_000];
        let head: &'static [u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
        let (address, server) = scripted(vec![vec![head, body.clone().leak()]]).await;
        let mut connection = Connection::open(address).await.unwrap();
        let reply = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(reply.ok().unwrap() == body.as_slice());
        server.await.unwrap();
    });
}

#[test]
fn a_reply_cut_short_or_without_a_length_is_an_error() {
    block_on(async {
        let (address, _server) =
            scripted(vec![vec![b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]]).await;
        let mut connection = Connection::open(address).await.unwrap();
        let cut = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap_err();
        assert!(matches!(cut, ClientError::Connection(_)), "{cut}");

        let (address, _server) = scripted(vec![vec![b"HTTP/1.1 200 OK\r\n\r\n"]]).await;
        let mut connection = Connection::open(address).await.unwrap();
        let endless = connection.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap_err();
        assert!(matches!(endless, ClientError::Malformed(_)), "{endless}");
    });
}
