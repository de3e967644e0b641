//! From the bytes of a file or a message to a routing table, or to the reasons why not. Owns the choice where that work is
//! done: for a small table at once, for a large one in a thread of its own, because requests wait while this one works.

use std::sync::Arc;

use crate::checksum::checksum_of;
use crate::json_document::read_json;
use crate::routing_table::{RoutingTable, Rules, parse_routing_table};

#[derive(Debug, Clone)]
pub struct Decoded {
    pub table: Arc<RoutingTable>,
    pub checksum: String,
}

/// From this size on, about 2,000 routing keys, the work takes longer than requests should wait.
const ASIDE_FROM_BYTES: usize = 64 * 1024;

// #region decode
/// Decodes on the spot. The error names every fault.
pub fn decode_table(bytes: &[u8], rules: Rules) -> Result<Decoded, Vec<String>> {
    let document = read_json(bytes)?;
    let table = parse_routing_table(&document, rules)?;
    Ok(Decoded { table: Arc::new(table), checksum: checksum_of(&document) })
}

/// Decodes without holding up the requests.
pub async fn decode_table_offloaded(bytes: Arc<[u8]>, rules: Rules) -> Result<Decoded, Vec<String>> {
    if bytes.len() < ASIDE_FROM_BYTES {
        return decode_table(&bytes, rules);
    }
    let work = tokio::task::spawn_blocking(move || decode_table(&bytes, rules));
    work.await.unwrap_or_else(|error| Err(vec![format!("(document): the decoder failed: {error}")]))
}
// #endregion decode
