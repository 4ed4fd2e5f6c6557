//! The real network: HTTP/1.1 over TCP and TLS, blocking, with timeouts and bounded answers.
//!
//! Bytes are counted where they enter and leave the socket, so that TLS and headers are in the figures.

use super::{Traffic, Transport, TransportError};
use crate::engine::{HttpRequest, HttpResponse};
use callout_sync_protocol::version::MAX_FRAME_BYTES;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use ureq::Agent;
use ureq::http;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport as Wire,
};

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
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_per_write(Some(STALL_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .user_agent(concat!("callout-phone/", env!("CARGO_PKG_VERSION")))
            .build();
        let counters = Arc::new(Counters::default());
        let connector =
            ().chain(TcpConnector::default())
                .chain(CountingConnector(counters.clone()))
                .chain(RustlsConnector::default());
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Self { agent, server, requests: 0, counters }
    }

    fn try_send(&self, request: &HttpRequest) -> Result<HttpResponse, ureq::Error> {
        let uri = format!("{}{}", self.server.as_str(), request.path);
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let response = match request.method {
            crate::engine::Method::Head => self.agent.run(builder.body(())?)?,
            _ => self.agent.run(builder.body(request.body.as_slice())?)?,
        };
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let limit = MAX_FRAME_BYTES as u64;
        response.into_body().into_reader().take(limit + 1).read_to_end(&mut body)?;
        if body.len() as u64 > limit {
            return Err(ureq::Error::BodyExceedsLimit(limit));
        }
        Ok(HttpResponse { status, headers, body })
    }
}

impl Transport for HttpClient {
    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        self.requests += 1;
        self.try_send(request).map_err(|error| TransportError(format!("no answer from the server: {error}")))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests,
            bytes_sent: self.counters.sent.load(Ordering::Relaxed),
            bytes_received: self.counters.received.load(Ordering::Relaxed),
        }
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
