//! What every request can reach.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use ipnet::IpNet;
use sponsorhub_app::approvals::Approvals;
use sponsorhub_app::catalog::Catalog;
use sponsorhub_app::desk::Desk;
use sponsorhub_app::fees::Fees;
use sponsorhub_app::intake::Intaker;
use sponsorhub_app::ports::Clock;
use sponsorhub_app::redirect::Redirects;
use sponsorhub_app::workers::Workers;
use sponsorhub_store::{ClickLog, Store};
use tokio::sync::Semaphore;

use crate::api::UnderWay;
use crate::background::Noted;
use crate::bodies::{Bodies, Limit};
use crate::doctor::heard::Heard;
use crate::outside::Clients;
use crate::pages::{Front, Sales};
use crate::places::Places;
use crate::rates::Rates;
use crate::telemetry::Figures;
use crate::work::Bell;

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clicks: Arc<dyn ClickLog>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) redirects: Redirects,
    pub(crate) intaker: Arc<Intaker>,
    pub(crate) figures: Figures,
    pub(crate) noted: Noted,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) limits: Limits,
    /// What the operator asks of every campaign.
    pub(crate) fees: Fees,
    /// Memory for bodies.
    pub(crate) bodies: Bodies,
    /// For batches, and files of past orders.
    pub(crate) places: Places,
    pub(crate) desk: Arc<Desk>,
    pub(crate) workers: Arc<Workers>,
    /// Wakes the workers.
    pub(crate) bell: Bell,
    /// Whether the server is about to end: answers without an end of their own end then.
    pub(crate) stopping: tokio::sync::watch::Sender<bool>,
    pub(crate) clients: Clients,
    /// Requests of the API that are being answered.
    pub(crate) under_way: UnderWay,
    /// How often the API may be asked.
    pub(crate) rates: Rates,
    /// What operators propose to each other.
    pub(crate) approvals: Approvals,
    /// When the payment provider's webhooks came.
    pub(crate) heard: Heard,
    /// Where browsers reach this server, without a slash at the end.
    pub(crate) public_url: String,
    /// What was counted for the pages of campaigns.
    pub(crate) sales: Sales,
    /// For the one estimate over past orders that is computed at a time.
    pub(crate) what_if: Arc<Semaphore>,
    /// Where people sign in.
    pub(crate) front: Front,
    /// The sites on which people pay.
    pub(crate) pay_hosts: Vec<String>,
}

/// How much of a request is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) body: Limit,
    pub(crate) batch: Limit,
    pub(crate) batch_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Limit { bytes: 16 << 10, seconds: 10 },
            batch: Limit { bytes: 8 << 20, seconds: 10 },
            batch_lines: 10_000,
        }
    }
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Where a request comes from: the peer or, where the peer is a proxy that is trusted, the last
    /// address in `X-Forwarded-For` that no trusted proxy added. Anybody can send that header.
    pub(crate) fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.is_trusted(peer) {
            if headers.contains_key("x-forwarded-for") {
                self.heard.note_forwarded(self.clock.now());
            }
            return peer;
        }
        let hops = headers.get_all("x-forwarded-for").iter();
        let hops = hops.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let hops: Vec<&str> = hops.map(str::trim).collect();
        let mut nearest = peer;
        for hop in hops.into_iter().rev() {
            let Ok(address) = hop.parse::<IpAddr>() else { break };
            nearest = address;
            if !self.is_trusted(address) {
                break;
            }
        }
        nearest
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}
