//! Faults planted in a decision: one request is lost, and no other one. What needs no planted fault is held by the contract.

use super::*;
use crate::access_log::EntryListener;
use crate::cell_connection::CellLimits;
use crate::metrics::Metrics;
use crate::resilience::Resilience;
use crate::routing::{RouteDecision, route};
use crate::routing_table::RoutingTable;
use crate::routing_table::tests::table_of;
use crate::table_store::TableStore;
use crate::upstreams::Upstreams;
use parking_lot::Mutex;
use pingora_core::server::configuration::ServerConf;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn faulty_route(table: &RoutingTable, key: &str) -> RouteDecision {
    assert!(key != "planted", "a planted fault");
    route(table, key)
}

struct Router {
    address: SocketAddr,
    resilience: Arc<Resilience>,
    store: Arc<TableStore>,
    lines: Arc<Mutex<Vec<String>>>,
    _stop: watch::Sender<bool>,
}

/// A router in front of one cell, which answers every request with 200.
async fn start() -> Router {
    let cell = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", cell.local_addr().expect("its address"));
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = cell.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while matches!(tcp.read(&mut bytes).await, Ok(n) if n > 0) {
                    let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    let table = table_of(json!({
        "version": "1",
        "defaultPlacement": "one",
        "routingTable": {},
        "placements": { "one": { "kind": "tier", "url": url, "concurrencyLimit": 10 } },
    }));
    let store = Arc::new(TableStore::default());
    let resilience = Arc::new(Resilience::new(Arc::new(|_| true), Arc::new(|_, _, _| {})));
    let limits = CellLimits { head_timeout_ms: 10_000.0, body_idle_timeout_ms: 30_000.0, stalled_timeout_ms: 12_000.0 };
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let heard = lines.clone();
    let listener: EntryListener = Arc::new(move |entry| {
        let line = format!("{} {} {}", entry.path, entry.status, entry.code.unwrap_or("-"));
        heard.lock().push(line);
    });
    let logger = crate::logger::Logger::start(crate::logger::Level::Silent).expect("a thread");
    let access_log = AccessLog::new(logger, vec![listener]);
    let (stop, stopping) = watch::channel(false);
    let handler = ProxyHandler {
        store: store.clone(),
        upstreams: Arc::new(Upstreams::new(limits, true)),
        resilience: resilience.clone(),
        metrics: Arc::new(Metrics::default()),
        access_log: access_log.clone(),
        stopping: stopping.clone(),
        route: faulty_route,
    };
    resilience.update(&table, 0.0);
    store.swap(Arc::new(table));
    let conf = Arc::new(ServerConf { max_retries: 1000, ..ServerConf::default() });
    let proxy = Arc::new(pingora_proxy::http_proxy(&conf, handler));
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = DataServer::bind(local, proxy, access_log, None).expect("a port");
    let address = server.local_addr().expect("its address");
    tokio::spawn(server.run(stopping, Duration::from_secs(1)));
    Router { address, resilience, store, lines, _stop: stop }
}

/// The first response on `tcp`, up to the end of its body.
async fn ask(tcp: &mut TcpStream, key: &str) -> String {
    let request = format!("GET /{key} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: {key}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.expect("written");
    let mut text = String::new();
    while !text.ends_with("ok") && !text.ends_with("}\n") {
        let mut bytes = [0; 4096];
        let count = tcp.read(&mut bytes).await.expect("read");
        assert!(count > 0, "ended after {text:?}");
        text += std::str::from_utf8(&bytes[..count]).expect("text");
    }
    text
}

#[tokio::test]
async fn a_panic_in_a_decision_costs_its_own_request_and_no_other_one() {
    let router = start().await;
    let mut other = TcpStream::connect(router.address).await.expect("connected");
    assert!(ask(&mut other, "fine").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let mut unlucky = TcpStream::connect(router.address).await.expect("connected");
    let response = ask(&mut unlucky, "planted").await;
    assert!(response.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{response}");
    assert!(response.contains("\"code\":\"router-fault\""));
    assert!(ask(&mut other, "fine").await.starts_with("HTTP/1.1 200 OK\r\n"), "on its own connection");
    let lines = router.lines.lock().clone();
    assert_eq!(lines, ["/fine 200 -", "/planted 500 router-fault", "/fine 200 -"], "each in the log, and once");
    let table = router.store.current().expect("a table").table.clone();
    assert_eq!(router.resilience.guard(&table.placements["one"]).limit.in_flight(), 0, "no place is kept");
}
