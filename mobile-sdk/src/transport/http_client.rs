//! The real network: HTTP/1.1 over TCP and TLS, blocking, with timeouts and bounded answers.
//!
//! Bytes are counted where they enter and leave the socket, so that TLS and headers are in the figures.

use super::listening::{Answered, ListenControl, StreamTransport};
use super::{Traffic, Transport, TransportError};
use crate::engine::{HttpRequest, HttpResponse, Method};
use callout_sync_protocol::version::MAX_FRAME_BYTES;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use ureq::http;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport as Wire,
};
use ureq::{Agent, Body};

/// To the server's door.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Without a single byte moving.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// For one request in all: half a mebibyte at 10 kbit/s takes seven minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(900);

/// Why a server's address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// Not `https://host[:port]` or `http://host[:port]`.
    #[error("the server's address must look like https://host or https://host:port")]
    Malformed,
    /// Passwords and customers' data must not travel in the clear.
    #[error("plain http is allowed to this machine only; use https, or allow plain http explicitly")]
    PlainHttp,
}

/// A server's address that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Checks an address. Plain http is for the loopback interface, unless `allow_plain_http`.
    ///
    /// # Errors
    /// See [`ServerUrlError`].
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, ServerUrlError> {
        let uri: http::Uri = text.trim_end_matches('/').parse().map_err(|_| ServerUrlError::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(ServerUrlError::Malformed);
        };
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(ServerUrlError::Malformed);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match scheme {
            "https" => {}
            "http" if is_loopback || allow_plain_http => {}
            "http" => return Err(ServerUrlError::PlainHttp),
            _ => return Err(ServerUrlError::Malformed),
        }
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
    }

    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Talks to one server; keeps its connection open between requests.
#[derive(Debug)]
pub struct HttpClient {
    agent: Agent,
    server: ServerUrl,
    requests: u64,
    counters: Arc<Counters>,
}

impl HttpClient {
    /// A client; nothing is connected yet.
    pub fn new(server: ServerUrl) -> Self {
        let counters = Arc::new(Counters::default());
        Self { agent: agent(&counters, Some(CALL_TIMEOUT)), server, requests: 0, counters }
    }

    /// Another client of the same server, with connections of its own.
    pub fn beside(&self) -> Self {
        Self::new(self.server.clone())
    }

    fn answer(&self, agent: &Agent, request: &HttpRequest) -> Result<http::Response<Body>, ureq::Error> {
        let uri = format!("{}{}", self.server.as_str(), request.path);
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        match request.method {
            Method::Get | Method::Head => agent.run(builder.body(())?),
            Method::Post | Method::Patch => agent.run(builder.body(request.body.as_slice())?),
        }
    }

    fn try_send(&self, request: &HttpRequest) -> Result<HttpResponse, ureq::Error> {
        let (response, body) = head(self.answer(&self.agent, request)?);
        whole(response, body)
    }

    fn try_listen(&self, agent: &Agent, request: &HttpRequest) -> Result<Answered, ureq::Error> {
        let (response, body) = head(self.answer(agent, request)?);
        if response.status == 200 {
            return Ok(Answered { response, stream: Some(Box::new(body.into_reader())) });
        }
        Ok(Answered { response: whole(response, body)?, stream: None })
    }
}

fn agent(counters: &Arc<Counters>, call_timeout: Option<Duration>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(STALL_TIMEOUT))
        .timeout_per_write(Some(STALL_TIMEOUT))
        .timeout_global(call_timeout)
        .user_agent(concat!("callout-phone/", env!("CARGO_PKG_VERSION")))
        .build();
    let connector =
        ().chain(TcpConnector::default()).chain(CountingConnector(counters.clone())).chain(RustlsConnector::default());
    Agent::with_parts(config, connector, DefaultResolver::default())
}

fn head(answer: http::Response<Body>) -> (HttpResponse, Body) {
    let (parts, body) = answer.into_parts();
    let headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    (HttpResponse { status: parts.status.as_u16(), headers, body: vec![] }, body)
}

fn whole(head: HttpResponse, body: Body) -> Result<HttpResponse, ureq::Error> {
    let mut bytes = Vec::new();
    let limit = MAX_FRAME_BYTES as u64;
    body.into_reader().take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ureq::Error::BodyExceedsLimit(limit));
    }
    Ok(HttpResponse { body: bytes, ..head })
}

fn no_answer(error: ureq::Error) -> TransportError {
    TransportError(format!("no answer from the server: {error}"))
}

impl Transport for HttpClient {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        self.requests += 1;
        self.try_send(request).map_err(no_answer)
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests,
            bytes_sent: self.counters.sent.load(Ordering::Relaxed),
            bytes_received: self.counters.received.load(Ordering::Relaxed),
        }
    }
}

impl StreamTransport for HttpClient {
    fn listen(&mut self, request: &HttpRequest, control: &ListenControl) -> Result<Answered, TransportError> {
        self.requests += 1;
        // Connections of its own, which can be cut without touching a sync's; open for as long as something comes now and then.
        let agent = agent(&self.counters, None);
        let line = agent.clone();
        control.line_open(move || line.clone().shutdown());
        self.try_listen(&agent, request).map_err(no_answer)
    }
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

/// Wraps the socket, below TLS.
#[derive(Debug)]
struct CountingConnector(Arc<Counters>);

impl<In: Wire> Connector<In> for CountingConnector {
    type Out = CountingWire<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| CountingWire { inner, counters: self.0.clone() }))
    }
}

#[derive(Debug)]
struct CountingWire<In> {
    inner: In,
    counters: Arc<Counters>,
}

impl<In: Wire> Wire for CountingWire<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)?;
        self.counters.sent.fetch_add(amount as u64, Ordering::Relaxed);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let has_progress = self.inner.await_input(timeout)?;
        let received = self.inner.buffers().input().len().saturating_sub(before);
        self.counters.received.fetch_add(received as u64, Ordering::Relaxed);
        Ok(has_progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
