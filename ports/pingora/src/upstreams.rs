//! How connections to cells are made, watched and closed. The engine owns the pools; what it does not tell of a connection
//! is found by its descriptor. What travels over a connection is the business of `proxy.rs`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::SocketAddr as InetAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy, Tracer, Tracing};
use pingora_error::{Error, ErrorType};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cell_connection::{CellConnection, CellLimits};
use crate::clock;
use crate::endpoint::{Endpoint, Host};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: less than the 5 s after which Node servers close.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);
/// How often connections are judged, in milliseconds.
const LOOK_EVERY_MS: f64 = 250.0;

type Connections = Mutex<HashMap<RawFd, Arc<CellConnection>>>;

#[derive(Default)]
struct Pools {
    by_url: HashMap<String, u64>,
    last: u64,
}

// #region upstreams
pub struct Upstreams {
    connections: Arc<Connections>,
    /// Each endpoint in use, with the number under which the engine keeps its connections. One that comes back after it had
    /// left the table gets another number: connections that are about to close are not used again.
    pools: Mutex<Pools>,
    limits: CellLimits,
    /// Without a front that watches the client, silence inside a body is left to the engine.
    engine_read_timeout: Option<Duration>,
}

impl Upstreams {
    pub fn new(limits: CellLimits, watches_clients: bool) -> Self {
        let idle =
            (limits.body_idle_timeout_ms > 0.0).then(|| Duration::from_secs_f64(limits.body_idle_timeout_ms / 1000.0));
        let engine_read_timeout = idle.filter(|_| !watches_clients);
        Upstreams { connections: Arc::default(), pools: Mutex::default(), limits, engine_read_timeout }
    }

    /// Where to connect to: the address in the table, or what its host name leads to now.
    pub async fn resolve(&self, endpoint: &Endpoint) -> io::Result<InetAddr> {
        let Host::Name(name) = &endpoint.host else {
            return endpoint.address().ok_or_else(|| io::ErrorKind::NotFound.into());
        };
        let mut addresses = timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((name.as_str(), endpoint.port))).await??;
        addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What the engine has to know of a cell.
    pub fn peer(&self, endpoint: &Endpoint, address: InetAddr) -> Box<HttpPeer> {
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.idle_timeout = Some(KEEP_ALIVE_TIMEOUT);
        peer.options.read_timeout = self.engine_read_timeout;
        // The fields are our own business: the engine's policy refuses what RFC 9110 merely ignores.
        peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
        let pool = self.pools.lock().by_url.get(&endpoint.url).copied();
        // By an older table: what is opened for this request closes after it.
        let (is_retired, url) = (pool.is_none(), endpoint.url.clone());
        peer.group_key = pool.unwrap_or_default();
        let dialler = Dialler { url, is_retired, connections: self.connections.clone() };
        peer.options.custom_l4 = Some(Arc::new(dialler));
        Box::new(peer)
    }

    pub fn connection(&self, fd: RawFd) -> Option<Arc<CellConnection>> {
        self.connections.lock().get(&fd).cloned()
    }

    /// Closes every connection whose endpoint is not in `urls`, each after its last request.
    pub fn retain_only(&self, urls: &HashSet<&str>) {
        let mut pools = self.pools.lock();
        pools.by_url.retain(|url, _| urls.contains(url.as_str()));
        for url in urls {
            if !pools.by_url.contains_key(*url) {
                pools.last += 1;
                let number = pools.last;
                pools.by_url.insert((*url).to_owned(), number);
            }
        }
        for connection in self.all().iter().filter(|each| !urls.contains(each.url.as_str())) {
            connection.retire(clock::now_ms());
        }
    }

    /// Judges every connection a few times per second. Never ends.
    pub async fn watch(&self) {
        let mut looked_at_ms = clock::now_ms();
        loop {
            tokio::time::sleep(Duration::from_secs_f64(LOOK_EVERY_MS / 1000.0)).await;
            let now_ms = clock::now_ms();
            let overslept_ms = now_ms - looked_at_ms - LOOK_EVERY_MS;
            looked_at_ms = now_ms;
            let stood_still_ms = if overslept_ms > LOOK_EVERY_MS { overslept_ms } else { 0.0 };
            for connection in self.all() {
                connection.judge(&self.limits, now_ms, stood_still_ms);
            }
        }
    }

    fn all(&self) -> Vec<Arc<CellConnection>> {
        self.connections.lock().values().cloned().collect()
    }
}
// #endregion upstreams

// #region dial
/// Opens connections in the engine's stead, to know each from its first moment to its last.
struct Dialler {
    url: String,
    is_retired: bool,
    connections: Arc<Connections>,
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialler({})", self.url)
    }
}

#[async_trait]
impl L4Connect for Dialler {
    async fn connect(&self, address: &SocketAddr) -> pingora_error::Result<Stream> {
        let failed = |error: io::Error| Error::because(ErrorType::ConnectError, "to a cell", error);
        let address = *address.as_inet().ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let tcp = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        let fd = tcp.as_raw_fd();
        let connection = Arc::new(CellConnection::new(fd, &self.url));
        if self.is_retired {
            connection.retire(clock::now_ms());
        }
        self.connections.lock().insert(fd, connection.clone());
        let mut stream = Stream::from(tcp);
        stream.tracer = Some(Tracer(Box::new(Farewell { fd, connection, connections: self.connections.clone() })));
        Ok(stream)
    }
}

/// Told by the engine just before it closes the connection.
#[derive(Clone)]
struct Farewell {
    fd: RawFd,
    connection: Arc<CellConnection>,
    connections: Arc<Connections>,
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Farewell({})", self.fd)
    }
}

impl Tracing for Farewell {
    fn on_connected(&self) {}

    fn on_disconnected(&self) {
        self.connection.on_closed();
        let mut connections = self.connections.lock();
        if connections.get(&self.fd).is_some_and(|known| Arc::ptr_eq(known, &self.connection)) {
            connections.remove(&self.fd);
        }
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}
// #endregion dial
