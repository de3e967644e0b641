//! Where the table comes from, by stage: built in, a file, or a control plane with a file to begin with.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::file_source::FileSource;
use crate::logger::Logger;
use crate::routing_table::Rules;
use crate::settings::{Settings, Stage};
use crate::snapshot_source::{SnapshotSource, SnapshotSourceSettings};
use crate::static_table::static_routing_table;
use crate::table_store::TableStore;

#[derive(Clone, Default)]
pub struct Sources {
    pub file: Option<Arc<FileSource>>,
    pushed: Option<Arc<SnapshotSource>>,
}

impl Sources {
    /// Brings in the first table. The error names every fault of the file, where there is nothing else to begin with.
    pub async fn start(
        settings: &Settings,
        logger: &Logger,
        store: &Arc<TableStore>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Self, String> {
        if settings.stage == Stage::M1 {
            store.swap(Arc::new(static_routing_table(&settings.cells)));
            return Ok(Sources::default());
        }
        let rules = Rules { resilience: settings.stage >= Stage::M4 };
        let file = FileSource::new(settings.routing_file.clone(), rules, store.clone(), logger.clone());
        if settings.control_plane_urls.is_empty() {
            file.start().await?;
            return Ok(Sources { file: Some(file), pushed: None });
        }
        let source = SnapshotSourceSettings {
            urls: settings.control_plane_urls.clone(),
            state_dir: settings.state_dir.clone(),
            token_file: settings.control_plane_token_file.clone(),
            token: settings.control_plane_token.clone(),
            router_id: settings.router_id.clone(),
            max_message_bytes: settings.max_message_bytes,
            rules,
        };
        let pushed = SnapshotSource::new(source, file.clone(), store.clone(), logger.clone());
        pushed.start(stopping.clone()).await;
        Ok(Sources { file: Some(file), pushed: Some(pushed) })
    }

    /// What `/debug/config` says of the table in use, and of the last attempt to replace it.
    pub fn status(&self) -> Value {
        let pushed = self.pushed.as_ref().map(|pushed| json!(pushed.status()));
        pushed.or_else(|| self.file.as_ref().map(|file| json!(file.status()))).unwrap_or_else(|| json!({}))
    }

    /// Resolves when nothing follows anything any more, and what was applied last is on disk.
    pub async fn close(&self) {
        if let Some(file) = &self.file {
            file.close().await;
        }
        if let Some(pushed) = &self.pushed {
            pushed.close().await;
        }
    }
}
