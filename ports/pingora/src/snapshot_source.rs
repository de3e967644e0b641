//! Keeps the store in step with a control plane: starts from the last-known-good snapshot, or from the bootstrap file, and
//! takes what is pushed. Owns who may set the table: the file may, until the first snapshot has been applied.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::checksum::hex;
use crate::clock;
use crate::control_plane_client::{ControlPlaneClient, LinkOwner};
use crate::control_plane_urls::ControlPlaneUrls;
use crate::control_plane_wire::ControlPlaneUrl;
use crate::file_source::{FileSource, LastError};
use crate::last_known_good::LastKnownGood;
use crate::link_status::LinkStatus;
use crate::logger::{Level, Logger};
use crate::protocol::Position;
use crate::routing_table::{RoutingTable, Rules};
use crate::snapshot_receiver::{Apply, Link, ReplyOutcome, SnapshotReceiver};
use crate::table_store::TableStore;
use crate::tasks::spawn_restarting;

pub struct SnapshotSourceSettings {
    /// At least one; all of them push the same table.
    pub urls: Vec<ControlPlaneUrl>,
    /// Folder of the last-known-good snapshot.
    pub state_dir: PathBuf,
    /// File with the token, when `token` is not given.
    pub token_file: PathBuf,
    pub token: Option<String>,
    /// How the control plane calls this router; by default a name made of the host's name and the state folder.
    pub router_id: Option<String>,
    pub max_message_bytes: usize,
    pub rules: Rules,
}

pub struct SnapshotSource {
    settings: SnapshotSourceSettings,
    router_id: String,
    bootstrap: Arc<FileSource>,
    store: Arc<TableStore>,
    logger: Logger,
    receiver: Arc<SnapshotReceiver>,
    last_known_good: LastKnownGood,
    link: Mutex<Option<(Arc<LinkStatus>, JoinHandle<()>)>>,
    applied: Mutex<Option<Applied>>,
}

/// What is known of the table in use, once a snapshot has been applied.
#[derive(Clone)]
struct Applied {
    position: Position,
    source: &'static str,
    version: String,
    applied_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    source: &'static str,
    version: Option<String>,
    checksum: Option<String>,
    applied_at: Option<String>,
    last_error: Option<LastError>,
    epoch: Option<String>,
    revision: Option<u64>,
    router_id: String,
    control_plane: String,
    connected: bool,
    staleness_seconds: f64,
}

impl SnapshotSource {
    pub fn new(
        settings: SnapshotSourceSettings,
        bootstrap: Arc<FileSource>,
        store: Arc<TableStore>,
        logger: Logger,
    ) -> Arc<Self> {
        let router_id = settings.router_id.clone().unwrap_or_else(|| name_for(&settings.state_dir));
        // The head of a message comes on top of what a table may have.
        let max_bytes = settings.max_message_bytes as u64;
        let path = settings.state_dir.join("last-known-good");
        let last_known_good = LastKnownGood::new(path, max_bytes, logger.clone());
        let receiver = Arc::new(SnapshotReceiver::new(settings.rules));
        let (link, applied) = (Mutex::default(), Mutex::default());
        Arc::new(SnapshotSource {
            settings,
            router_id,
            bootstrap,
            store,
            logger,
            receiver,
            last_known_good,
            link,
            applied,
        })
    }

    // #region start
    /// Brings in the best table that this machine has, and starts the link. Waits for the disk, never for the network.
    pub async fn start(self: &Arc<Self>, stopping: watch::Receiver<bool>) {
        let saved_at = self.restore().await;
        if saved_at.is_none() {
            // Without any table the router answers 503 until the control plane brings one.
            if let Err(cause) = self.bootstrap.start().await {
                self.logger.log(Level::Warn, &json!({ "event": "no-bootstrap", "cause": cause }));
            }
        }
        let stale_for = saved_at.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        let urls = ControlPlaneUrls::new(self.settings.urls.clone(), fastrand::f64());
        let status = LinkStatus::new(urls, stale_for.as_secs_f64() * 1000.0);
        let (this, link_status) = (self.clone(), status.clone());
        let run = move || {
            let client = ControlPlaneClient {
                router_id: this.router_id.clone(),
                receiver: this.receiver.clone(),
                owner: this.clone(),
                max_message_bytes: this.settings.max_message_bytes,
                logger: this.logger.clone(),
                status: link_status.clone(),
                stopping: stopping.clone(),
            };
            client.run()
        };
        let running = spawn_restarting("control-plane-client", self.logger.clone(), run);
        *self.link.lock() = Some((status, running));
    }

    /// Takes the saved message as if it came over a link: the same checks find a torn or edited file.
    async fn restore(&self) -> Option<SystemTime> {
        let saved = self.last_known_good.load().await?;
        let received = self.receiver.receive(&saved.message, &mut Link::default(), self).await;
        let cause = match received {
            Ok(reply) if reply.outcome == ReplyOutcome::Applied => return Some(saved.saved_at),
            Ok(reply) => reply.words,
            Err(fault) => fault,
        };
        self.logger.log(Level::Error, &json!({ "event": "last-known-good-damaged", "cause": cause }));
        self.last_known_good.set_aside();
        None
    }
    // #endregion start

    /// Resolves when the link has ended, which `stopping` tells it, and what was applied last is on disk.
    pub async fn close(&self) {
        let link = self.link.lock().take();
        if let Some((_, running)) = link {
            let _ = running.await;
        }
        self.last_known_good.close().await;
    }

    pub fn status(&self) -> SnapshotStatus {
        let file = self.bootstrap.status();
        let applied = self.applied.lock().clone();
        let link = self.link.lock().as_ref().map(|(status, _)| status.clone());
        let link_error = link.as_ref().and_then(|link| link.last_error());
        let (url, connected, staleness_seconds) = link.map_or_else(
            || (self.settings.urls[0].clone(), false, 0.0),
            |link| (link.url(), link.connected(), link.staleness_seconds()),
        );
        let own = (self.router_id.clone(), url.href);
        match applied {
            Some(Applied { position, source, version, applied_at }) => SnapshotStatus {
                source,
                version: Some(version),
                checksum: Some(position.checksum),
                applied_at: Some(applied_at),
                last_error: link_error,
                epoch: Some(position.epoch),
                revision: Some(position.revision),
                router_id: own.0,
                control_plane: own.1,
                connected,
                staleness_seconds,
            },
            None => SnapshotStatus {
                source: file.source,
                version: file.version,
                checksum: file.checksum,
                applied_at: file.applied_at,
                last_error: link_error.or(file.last_error),
                epoch: None,
                revision: None,
                router_id: own.0,
                control_plane: own.1,
                connected,
                staleness_seconds,
            },
        }
    }
}

// #region apply
#[async_trait]
impl Apply for SnapshotSource {
    async fn apply(&self, table: Arc<RoutingTable>, position: &Position) {
        // From now on the file is history: an edit of it must not undo what the control plane says.
        self.bootstrap.close().await;
        let version = table.version.clone();
        self.store.swap(table);
        let source = if self.link.lock().is_none() { "last-known-good" } else { "control-plane" };
        let applied_at = clock::today();
        let applied = Applied { position: position.clone(), source, version: version.clone(), applied_at };
        *self.applied.lock() = Some(applied);
        let Position { epoch, revision, checksum } = position;
        let line = json!({
            "event": "routing-applied", "source": source, "version": version,
            "epoch": epoch, "revision": revision, "checksum": checksum,
        });
        self.logger.log(Level::Info, &line);
    }
}
// #endregion apply

impl LinkOwner for SnapshotSource {
    fn read_token(&self) -> Option<String> {
        if let Some(token) = self.settings.token.as_ref().filter(|token| !token.is_empty()) {
            return Some(token.clone());
        }
        let text = std::fs::read_to_string(&self.settings.token_file).ok()?;
        let token = text.trim();
        (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.to_owned())
    }

    fn applied(&self, message: Bytes) {
        self.last_known_good.save(message);
    }
}

/// One name for one state folder on one host: it stays over restarts, and two routers beside each other differ.
fn name_for(state_dir: &Path) -> String {
    let folder = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    let digest = hex(&Sha256::digest(folder.as_os_str().as_encoded_bytes()));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '-' };
    let host: String = host.trim().chars().map(plain).take(100).collect();
    format!("{}-{}", if host.is_empty() { "router" } else { &host }, &digest[..8])
}
