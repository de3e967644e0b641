//! One WebSocket to the control plane: the address, the handshake, and how many bytes have come. What is said over it is the
//! business of `control_plane_client.rs`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::endpoint::parse_port;

pub type Socket = WebSocketStream<Counted>;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Such as `ws://127.0.0.1:8081/v1/connect`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ControlPlaneUrl {
    pub href: String,
    host: String,
    port: u16,
}

impl ControlPlaneUrl {
    /// An address of the API will do as well: only the scheme and the path differ. There is no TLS here: put a proxy that
    /// speaks it in front of the control plane.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("http://"))?;
        if rest.contains('#') {
            return None;
        }
        let uri: http::Uri = format!("ws://{rest}").parse().ok()?;
        // A password would stand in the log and on the admin port. The token is a setting of its own.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let port = parse_port(&authority.as_str()[authority.host().len()..])?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { "/v1/connect" } else { path };
        let href = format!("ws://{authority}{path}");
        Some(ControlPlaneUrl { href, host, port })
    }
}

// #region connect
/// The error is words for an operator.
pub async fn connect(url: &ControlPlaneUrl, token: Option<&str>, max_message_bytes: usize) -> Result<Socket, String> {
    let handshake = async {
        let mut request = url.href.as_str().into_client_request()?;
        if let Some(token) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        let tcp = TcpStream::connect((url.host.as_str(), url.port)).await?;
        tcp.set_nodelay(true)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        let (socket, _) = client_async_with_config(request, Counted::new(tcp), Some(config)).await?;
        tungstenite::Result::Ok(socket)
    };
    match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(refusal_words(response.status().as_u16(), token.is_some())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("Opening handshake has timed out".into()),
    }
}
// #endregion connect

pub fn words_of(error: &Error) -> String {
    match error {
        Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => "The link broke off".into(),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => "The link broke off".into(),
        other => other.to_string(),
    }
}

fn refusal_words(status: u16, has_token: bool) -> String {
    match (status, has_token) {
        (401, true) => "The control plane refused the token: set CONTROL_PLANE_TOKEN to the one that it uses".into(),
        (401, false) => "The control plane wants a token and there is none: set CONTROL_PLANE_TOKEN".into(),
        _ => format!("The control plane refused the link with status {status}"),
    }
}

/// Counts what comes: a large snapshot on its way is a sign of life, long before it is a message.
#[derive(Debug)]
pub struct Counted {
    tcp: TcpStream,
    received: Arc<AtomicU64>,
}

impl Counted {
    fn new(tcp: TcpStream) -> Self {
        Counted { tcp, received: Arc::default() }
    }

    pub fn bytes_received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let result = Pin::new(&mut self.tcp).poll_read(cx, out);
        self.received.fetch_add((out.filled().len() - before) as u64, Ordering::Relaxed);
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_address_of_the_link_or_of_the_api() {
        let cases = [
            ("ws://127.0.0.1:8081", Some("ws://127.0.0.1:8081/v1/connect")),
            ("http://127.0.0.1:8081/", Some("ws://127.0.0.1:8081/v1/connect")),
            ("ws://[::1]:8081/other?a=b", Some("ws://[::1]:8081/other?a=b")),
            ("wss://127.0.0.1:8081", None),
            ("127.0.0.1:8081", None),
            ("ws://127.0.0.1:8081#x", None),
            ("ws://", None),
            ("ws://127.0.0.1:99999", None),
            ("ws://me:pa55word@127.0.0.1:8081", None),
            ("ws://me@127.0.0.1:8081", None),
        ];
        for (text, href) in cases {
            assert_eq!(ControlPlaneUrl::parse(text).map(|url| url.href).as_deref(), href, "{text}");
        }
    }
}
