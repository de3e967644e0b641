//! What is known of the link to the control plane, for whoever asks: is it up, how stale is the table, what went wrong.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock;
use crate::control_plane_urls::ControlPlaneUrls;
use crate::control_plane_wire::ControlPlaneUrl;
use crate::file_source::LastError;

/// What `/debug/config` shows of the link.
pub struct LinkStatus {
    state: Mutex<LinkState>,
}

struct LinkState {
    urls: ControlPlaneUrls,
    connected: bool,
    up_to_date: bool,
    /// When the control plane last confirmed that this router's table is the newest.
    confirmed_at_ms: f64,
    last_error: Option<LastError>,
    /// Why the present link ends: the first reason, because others only follow from it.
    ending: Option<String>,
}

impl LinkStatus {
    /// `stale_for_ms`: how long the table that the router starts with may be out of date already.
    pub fn new(urls: ControlPlaneUrls, stale_for_ms: f64) -> Arc<Self> {
        let confirmed_at_ms = clock::now_ms() - stale_for_ms;
        let state =
            LinkState { urls, connected: false, up_to_date: false, confirmed_at_ms, last_error: None, ending: None };
        Arc::new(LinkStatus { state: Mutex::new(state) })
    }

    /// The control plane of the present link, or of the next attempt.
    pub fn url(&self) -> ControlPlaneUrl {
        self.state.lock().urls.current()
    }

    pub fn connected(&self) -> bool {
        self.state.lock().connected
    }

    pub fn staleness_seconds(&self) -> f64 {
        (clock::now_ms() - self.state.lock().confirmed_at_ms).round() / 1000.0
    }

    /// What went wrong last; `None` once a later link has brought the router up to date.
    pub fn last_error(&self) -> Option<LastError> {
        self.state.lock().last_error.clone()
    }

    pub fn confirm(&self) {
        let mut state = self.state.lock();
        if state.up_to_date {
            state.confirmed_at_ms = clock::now_ms();
        }
    }

    pub fn fail(&self, words: String) {
        let mut state = self.state.lock();
        let first = state.ending.get_or_insert(words).clone();
        state.last_error = Some(LastError { at: clock::today(), faults: vec![first] });
    }

    /// A link is about to begin: to this control plane.
    pub fn begin(&self) -> ControlPlaneUrl {
        let mut state = self.state.lock();
        state.ending = None;
        state.urls.current()
    }

    /// The link has ended. Returns the control plane that it led to; the next one leads to another, if there is one.
    pub fn leave(&self) -> ControlPlaneUrl {
        self.state.lock().urls.leave()
    }

    pub fn connect(&self) {
        self.state.lock().connected = true;
    }

    pub fn disconnect(&self) {
        let mut state = self.state.lock();
        state.connected = false;
        state.up_to_date = false;
    }

    /// A message has been answered, with the reasons where it was refused.
    pub fn replied(&self, up_to_date: bool, refused_for: Option<Vec<String>>) {
        let mut state = self.state.lock();
        state.up_to_date = up_to_date;
        if up_to_date {
            state.last_error = None;
            state.confirmed_at_ms = clock::now_ms();
        }
        if let Some(faults) = refused_for {
            state.last_error = Some(LastError { at: clock::today(), faults });
        }
    }
}
