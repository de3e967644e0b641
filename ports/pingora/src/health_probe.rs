//! Sends one health probe. When probes are sent and what their results mean is left to `health_checker.rs`.

use std::io;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::endpoint::{Endpoint, Host};
use crate::errors::connect_error;

/// What may be read of a probe's response: nobody looks at it.
const MAX_BODY_BYTES: usize = 64 * 1024;

// #region health-probe
/// Whether the cell answered with 2xx; `None` when the probe says nothing about the cell.
///
/// Each probe opens a connection of its own: over a kept one, a cell that accepts no more connections would look well.
pub async fn probe(endpoint: &Endpoint, path: &str) -> Option<bool> {
    let tcp = match connect(endpoint).await {
        Ok(tcp) => tcp,
        // Nothing was asked, if this router could not open a connection.
        Err(error) => return connect_error(&error).0.is_cell_fault().then_some(false),
    };
    Some(ask(tcp, endpoint, path).await.unwrap_or(false))
}
// #endregion health-probe

async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    match &endpoint.host {
        Host::Address(address) => TcpStream::connect((*address, endpoint.port)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), endpoint.port)).await,
    }
}

async fn ask(tcp: TcpStream, endpoint: &Endpoint, path: &str) -> Option<bool> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.ok()?;
    let request = Request::get(path)
        .header(header::HOST, endpoint.authority.as_str())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let exchange = async {
        let mut response = sender.send_request(request).await.ok()?;
        let mut read = 0;
        while let Some(frame) = response.body_mut().frame().await {
            read += frame.ok()?.data_ref().map_or(0, Bytes::len);
            if read > MAX_BODY_BYTES {
                break;
            }
        }
        Some(response.status().is_success())
    };
    tokio::pin!(exchange);
    // The connection moves only while it is polled; when it ends first, what has come is still to be read.
    tokio::select! {
        result = &mut exchange => result,
        _ = connection => exchange.await,
    }
}
