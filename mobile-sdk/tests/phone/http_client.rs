//! The real HTTP client against sockets on loopback that answer whatever a test wants.

use callout_mobile_sdk::engine::{HttpRequest, Method, RequestId};
use callout_mobile_sdk::transport::Transport as _;
use callout_mobile_sdk::transport::http_client::{HttpClient, ServerUrl, ServerUrlError};
use callout_sync_protocol::version::MAX_FRAME_BYTES;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Answers one connection's first request with these bytes and closes; returns what it read.
fn answer_once(answer: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        // The whole body of these tests' requests ends in "!".
        while read.last() != Some(&b'!') {
            let count = stream.read(&mut buffer).unwrap();
            read.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        // A client that has seen enough may hang up.
        let _ = stream.write_all(&answer);
        read
    });
    (url, thread)
}

fn request() -> HttpRequest {
    HttpRequest {
        id: RequestId(1),
        method: Method::Post,
        path: "/v1/sync".to_owned(),
        headers: vec![("authorization", "Bearer secret".to_owned())],
        body: b"hello!".to_vec(),
    }
}

fn client(url: &str) -> HttpClient {
    HttpClient::new(ServerUrl::parse(url, false).unwrap())
}

#[test]
fn an_answer_of_any_status_is_an_answer_and_its_bytes_are_counted() {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
    let (url, thread) = answer_once(answer.clone());
    let mut client = client(&url);
    let response = client.send(&request()).unwrap();
    let read = thread.join().unwrap();
    assert_eq!(
        (response.status, response.header("retry-after"), response.body.as_slice()),
        (503, Some("7"), &b"busy"[..])
    );
    let traffic = client.traffic();
    assert_eq!(
        (traffic.requests, traffic.bytes_sent, traffic.bytes_received),
        (1, read.len() as u64, answer.len() as u64)
    );
    let text = String::from_utf8(read).unwrap().to_ascii_lowercase();
    assert!(text.starts_with("post /v1/sync http/1.1\r\n") && text.contains("authorization: bearer secret"));
    assert!(!format!("{:?}", request()).contains("secret"), "tokens stay out of logs");
}

#[test]
fn a_cut_answer_is_none() {
    let (url, thread) = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this".to_vec());
    assert!(client(&url).send(&request()).is_err());
    thread.join().unwrap();
}

#[test]
fn an_endless_answer_is_cut_off() {
    let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    answer.resize(MAX_FRAME_BYTES + 10_000, b'x');
    let (url, thread) = answer_once(answer);
    assert!(client(&url).send(&request()).is_err());
    thread.join().unwrap();
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n";
    let (url, thread) = answer_once(answer.to_vec());
    assert_eq!(client(&url).send(&request()).unwrap().status, 302);
    thread.join().unwrap();
}

#[test]
fn nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(client(&url).send(&request()).is_err());
}

#[test]
fn plain_http_stays_on_this_machine() {
    let parse = |text| ServerUrl::parse(text, false).map(|url| url.as_str().to_owned());
    assert_eq!(parse("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080");
    assert_eq!(parse("http://localhost:8080").unwrap(), "http://localhost:8080");
    assert_eq!(parse("http://[::1]:8080").unwrap(), "http://[::1]:8080");
    assert_eq!(parse("https://callout.example/phones/").unwrap(), "https://callout.example/phones");
    assert_eq!(parse("http://callout.example"), Err(ServerUrlError::PlainHttp));
    assert_eq!(parse("http://127.0.0.1.evil.example"), Err(ServerUrlError::PlainHttp));
    for bad in ["", "callout.example", "ftp://callout.example", "https://user:pw@callout.example", "https://a/?b"] {
        assert_eq!(parse(bad), Err(ServerUrlError::Malformed), "{bad}");
    }
    assert!(ServerUrl::parse("http://callout.example", true).is_ok());
}
