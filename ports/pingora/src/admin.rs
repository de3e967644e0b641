//! The listener towards those who operate the router: what it runs on and whether it is ready. Bound to loopback whatever
//! `HOST` says, because it shows what clients must not see. What it answers is registered by the wiring.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::events::{Events, Watch};

pub type Body = BoxBody<Bytes, Infallible>;

/// Responds to `GET path`.
pub type Route = Box<dyn Fn() -> Response<Body> + Send + Sync>;

/// Nobody uploads anything here.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// More connections than these take the places of the oldest: each holds a descriptor that a client of the data port could need.
const MAX_CONNECTIONS: usize = 128;

pub struct AdminServer {
    routes: Vec<(&'static str, Route)>,
    /// Open to pages of this machine; absent before m4.
    events: Option<Arc<Events>>,
}

const EVENTS_PATH: &str = "/events";

struct Connection {
    task: JoinHandle<()>,
    /// It has been given the event stream.
    watches: Arc<AtomicBool>,
}

impl AdminServer {
    pub fn new(events: Option<Arc<Events>>) -> Self {
        AdminServer { routes: Vec::new(), events }
    }

    pub fn get(&mut self, path: &'static str, route: impl Fn() -> Response<Body> + Send + Sync + 'static) {
        self.routes.push((path, Box::new(route)));
    }

    pub async fn bind(port: u16) -> io::Result<TcpListener> {
        TcpListener::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).await
    }

    /// Never ends. Whoever stops it stops its connections as well: nobody's request is lost with an operator's.
    pub async fn serve(self: Arc<Self>, listener: Arc<TcpListener>) {
        let mut connections: Vec<Connection> = Vec::new();
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            connections.retain(|each| !each.task.is_finished());
            make_room(&mut connections);
            let watches = Arc::new(AtomicBool::new(false));
            let task = tokio::spawn(self.clone().serve_connection(tcp, watches.clone()));
            connections.push(Connection { task, watches });
        }
    }

    async fn serve_connection(self: Arc<Self>, tcp: TcpStream, watches: Arc<AtomicBool>) {
        let service = service_fn(|request| {
            let response = self.respond(&request, &watches);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
        // How an operator's connection ends is no news.
        let _ = http.serve_connection(TokioIo::new(tcp), service).await;
    }

    fn respond(&self, request: &Request<Incoming>, watches: &AtomicBool) -> Response<Body> {
        let path = request.uri().path();
        let is_events = path == EVENTS_PATH && self.events.is_some();
        let is_local_page = is_events && is_from_local_page(request.headers());
        if !is_local_page && !is_from_operator(request.headers()) {
            let words = "Not for web pages; use a program on this machine.";
            return json_response(StatusCode::FORBIDDEN, &json!({ "error": words }));
        }
        let mut response = self.route(request, path, is_events);
        watches.store(is_events && response.status() == StatusCode::OK, Ordering::Relaxed);
        if let Some(origin) = request.headers().get(header::ORIGIN).filter(|_| is_local_page) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        if request.method() == Method::HEAD {
            *response.body_mut() = empty();
        }
        response
    }

    fn route(&self, request: &Request<Incoming>, path: &str, is_events: bool) -> Response<Body> {
        let route = self.routes.iter().find(|(known, _)| *known == path).map(|(_, route)| route);
        if route.is_none() && !is_events {
            let mut paths: Vec<&str> = self.routes.iter().map(|(path, _)| *path).collect();
            paths.extend(self.events.as_ref().map(|_| EVENTS_PATH));
            return json_response(StatusCode::NOT_FOUND, &json!({ "error": "Unknown path.", "paths": paths }));
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let words = json!({ "error": "Only GET is served here." });
            let mut response = json_response(StatusCode::METHOD_NOT_ALLOWED, &words);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match (&self.events, route) {
            (Some(events), None) => event_stream(events, request),
            (_, Some(route)) => route(),
            (None, None) => json_response(StatusCode::NOT_FOUND, &json!({})),
        }
    }
}

/// The newest is always let in: whoever holds connections open must not keep out the probe that asks whether this router is
/// alive, or its operator. The oldest goes, and one that watches only where all of them do.
fn make_room(connections: &mut Vec<Connection>) {
    if connections.len() >= MAX_CONNECTIONS {
        let oldest = connections.iter().position(|each| !each.watches.load(Ordering::Relaxed)).unwrap_or(0);
        connections.remove(oldest).task.abort();
    }
}

// #region operator
/// A browser on this machine runs pages of strangers, and loopback does not keep them out. `Origin` and `Sec-Fetch-Site`
/// betray a page's request to another site. `Host` betrays DNS rebinding: the page's own host name, which suddenly leads to
/// 127.0.0.1, so that the browser takes this listener for the page's own site.
/// See <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>; `none`: typed into the address bar.
fn is_from_operator(headers: &HeaderMap) -> bool {
    let site = text_of(headers, "sec-fetch-site").unwrap_or("none");
    has_loopback_host(headers) && !headers.contains_key(header::ORIGIN) && matches!(site, "none" | "same-origin")
}

/// A page that this machine serves, such as the workbook's own site: its `Origin` says so, and no page can forge it.
fn is_from_local_page(headers: &HeaderMap) -> bool {
    let origin = text_of(headers, "origin").and_then(|origin| origin.strip_prefix("http://"));
    has_loopback_host(headers) && origin.is_some_and(is_loopback)
}

fn has_loopback_host(headers: &HeaderMap) -> bool {
    text_of(headers, "host").is_some_and(is_loopback)
}

/// `127.0.0.1`, `localhost` or `[::1]`, with any port or none.
fn is_loopback(authority: &str) -> bool {
    let names = ["127.0.0.1", "localhost", "[::1]"];
    let matches = |name: &str| {
        let rest = authority.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name));
        let rest = rest.map(|_| &authority[name.len()..]);
        rest.is_some_and(|rest| {
            let digits = rest.strip_prefix(':').unwrap_or(if rest.is_empty() { "0" } else { "" });
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    names.into_iter().any(matches)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
// #endregion operator

pub fn json_response(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text_response(status, "application/json", text)
}

pub fn text_response(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let length = text.len();
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty() -> Body {
    Full::default().boxed()
}

fn event_stream(events: &Events, request: &Request<Incoming>) -> Response<Body> {
    let mut response = Response::new(empty());
    let last_seen = text_of(request.headers(), "last-event-id").and_then(|id| id.parse().ok()).unwrap_or_default();
    // A HEAD takes no watcher's place.
    if request.method() == Method::GET {
        let Some(watch) = events.watch(last_seen) else {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        };
        let next = |mut watch: Watch| async move {
            let text = watch.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(text)), watch))
        };
        *response.body_mut() = BodyExt::boxed(StreamBody::new(stream::unfold(watch, next)));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    async fn connect(to: &TcpListener) -> TcpStream {
        TcpStream::connect(to.local_addr().expect("its address")).await.expect("connected")
    }

    async fn ask(tcp: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.expect("written");
        let mut bytes = [0; 64];
        let read = tokio::time::timeout(Duration::from_secs(5), tcp.read(&mut bytes)).await;
        String::from_utf8_lossy(&bytes[..read.expect("in time").expect("read")]).into_owned()
    }

    #[tokio::test]
    async fn whoever_holds_connections_open_keeps_nobody_out() {
        let mut admin = AdminServer::new(Some(Arc::default()));
        admin.get("/healthz", || json_response(StatusCode::OK, &json!({})));
        let listener = Arc::new(AdminServer::bind(0).await.expect("a port"));
        tokio::spawn(Arc::new(admin).serve(listener.clone()));
        let mut watcher = connect(&listener).await;
        assert!(ask(&mut watcher, "/events").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let mut held = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            held.push(connect(&listener).await);
        }
        assert!(ask(&mut connect(&listener).await, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let end = tokio::time::timeout(Duration::from_secs(5), held[0].read(&mut [0])).await.expect("in time");
        assert!(matches!(end, Ok(0)), "the oldest has made room");
        assert!(ask(&mut held[MAX_CONNECTIONS - 1], "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }

    #[test]
    fn tells_operators_from_web_pages() {
        let operators: [&[(&'static str, &'static str)]; 3] = [
            &[("host", "127.0.0.1:8082")],
            &[("host", "LOCALHOST")],
            &[("host", "[::1]:1"), ("sec-fetch-site", "none")],
        ];
        for list in operators {
            assert!(is_from_operator(&headers(list)), "{list:?}");
        }
        let pages: [&[(&'static str, &'static str)]; 6] = [
            &[],
            &[("host", "rebound.example.com:8082")],
            &[("host", "127.0.0.1.example.com")],
            &[("host", "127.0.0.1:"), ("sec-fetch-site", "none")],
            &[("host", "127.0.0.1:8082"), ("origin", "http://127.0.0.1:8082")],
            &[("host", "127.0.0.1:8082"), ("sec-fetch-site", "cross-site")],
        ];
        for list in pages {
            assert!(!is_from_operator(&headers(list)), "{list:?}");
        }
    }

    #[test]
    fn knows_pages_of_this_machine() {
        let from =
            |origin: &'static str| is_from_local_page(&headers(&[("host", "127.0.0.1:8082"), ("origin", origin)]));
        for origin in ["http://127.0.0.1:5173", "http://127.0.0.1", "http://LOCALHOST:8080"] {
            assert!(from(origin), "{origin}");
        }
        let strangers =
            ["https://localhost:8082", "http://localhost.example.com", "http://127.0.0.1:80@example.com", "null"];
        for origin in strangers {
            assert!(!from(origin), "{origin}");
        }
    }
}
