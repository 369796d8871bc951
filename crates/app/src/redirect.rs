//! A visit through a link: where it leads, and whether it is credited.
//!
//! A creator's link never breaks: whatever stands against crediting a click, the visitor is sent on,
//! only without a token. Nothing but a token that we did not sign, or that names nothing, is not
//! found. A warm visit reads no database and waits for no disk.

use std::net::IpAddr;
use std::sync::Arc;

use quick_cache::sync::Cache;
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::attribution::slug::Slug;
use sponsorhub_core::attribution::token::TokenError;
use sponsorhub_core::ids::{CampaignId, ClickId};
use sponsorhub_store::{Click, ClickLog, StoreError, Verdict};

use crate::agents::{DeclaredBots, is_declared_bot};
use crate::catalog::{Catalog, Keys, LinkView};
use crate::ports::{Chance, random};

/// User agents whose verdict is remembered.
const AGENTS_MAX: usize = 20_000;

/// Longest user agent that is looked at; the rest of a longer one is not.
const AGENT_BYTES_MAX: usize = 512;

/// What a browser says of a visit.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// What stands against a click before the campaign is looked at: from method and headers.
    pub verdict: Verdict,
    /// The user agent as it came; empty where there was none.
    pub user_agent: &'a [u8],
    /// Where the visitor comes from.
    pub address: IpAddr,
}

/// What becomes of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirected {
    /// Send the visitor there.
    To {
        /// The address.
        location: String,
        /// Whether the click is credited, and if not, why.
        verdict: Verdict,
    },
    /// No such link. The code says why, for our figures; the visitor sees one page for all.
    NotFound(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Agent {
    is_declared_bot: bool,
    fingerprint: AgentFingerprint,
}

/// Answers visits.
pub struct Redirects {
    catalog: Arc<Catalog>,
    clicks: Arc<dyn ClickLog>,
    chance: Arc<dyn Chance>,
    agents: Cache<Box<[u8]>, Agent>,
    bots: Arc<DeclaredBots>,
}

impl std::fmt::Debug for Redirects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redirects").finish_non_exhaustive()
    }
}

impl Redirects {
    /// Answers from this catalog and records in this log.
    pub fn new(catalog: Arc<Catalog>, clicks: Arc<dyn ClickLog>, chance: Arc<dyn Chance>) -> Self {
        let (agents, bots) = (Cache::new(AGENTS_MAX), Arc::default());
        Self { catalog, clicks, chance, agents, bots }
    }

    /// The bots that visited.
    pub fn bots(&self) -> Arc<DeclaredBots> {
        Arc::clone(&self.bots)
    }

    /// Verdicts and fingerprints depend on the keys: forget them when the keys change.
    pub fn forget_agents(&self) {
        self.agents.clear();
    }

    /// Answers a visit at `now`, milliseconds.
    ///
    /// # Errors
    /// [`StoreError`]: something was not in memory and could not be read.
    pub fn visit(&self, name: &str, visit: &Visit<'_>, now: i64) -> Result<Redirected, StoreError> {
        let keys = self.catalog.keys();
        let (campaign, number, token) = match LinkToken::verify(name, &keys.set) {
            Ok(token) => (token.campaign, token.number, Some(token)),
            Err(TokenError::Malformed) => match self.named(name)? {
                Some((campaign, number)) => (campaign, number, None),
                None => return Ok(Redirected::NotFound("link_unknown")),
            },
            Err(error) => return Ok(Redirected::NotFound(error.code())),
        };
        let Some(link) = self.catalog.link(campaign, number)? else {
            return Ok(Redirected::NotFound("link_unknown"));
        };
        // Signed, and still not what is registered: a token of another registry.
        if token.is_some_and(|token| token.enrollment != link.enrollment) {
            return Ok(Redirected::NotFound("link_unknown"));
        }
        self.send_on(&keys, (campaign, number, &link), visit, now)
    }

    fn named(&self, name: &str) -> Result<Option<(CampaignId, u32)>, StoreError> {
        match name.parse::<Slug>() {
            Ok(slug) => self.catalog.slug(slug.as_str()),
            Err(_) => Ok(None),
        }
    }

    fn send_on(
        &self,
        keys: &Keys,
        (campaign, number, link): (CampaignId, u32, &LinkView),
        visit: &Visit<'_>,
        now: i64,
    ) -> Result<Redirected, StoreError> {
        let agent = self.agent(keys, visit.user_agent);
        let verdict = self.verdict((campaign, link), visit.verdict, agent, now)?;
        let id = ClickId::try_new(now, random(&*self.chance));
        let id = id.map_err(|error| StoreError::Corrupt(format!("the clock is wrong: {error}")))?;
        let network = NetworkFingerprint::new(keys.set.pepper(), visit.address);
        let enrollment = link.enrollment;
        self.clicks.record(Click {
            click_id: id.0,
            campaign,
            enrollment,
            link: number,
            at: now,
            verdict,
            network: network.0,
            agent: agent.fingerprint.0,
        });
        if verdict != Verdict::Credited {
            return Ok(Redirected::To { location: link.destination.clone(), verdict });
        }
        let agent = agent.fingerprint;
        let token = ClickToken { campaign, enrollment, link: number, click: id, network, agent };
        let token = token.sign(&keys.set);
        let (before, after) = &link.with_click;
        let mut location = String::with_capacity(before.len() + token.len() + after.len());
        for part in [before, &token, after] {
            location.push_str(part);
        }
        Ok(Redirected::To { location, verdict })
    }

    /// What stands against the click, in the order in which it is told.
    fn verdict(
        &self,
        (campaign, link): (CampaignId, &LinkView),
        of_visit: Verdict,
        agent: Agent,
        now: i64,
    ) -> Result<Verdict, StoreError> {
        if of_visit != Verdict::Credited {
            return Ok(of_visit);
        }
        if agent.is_declared_bot {
            return Ok(Verdict::DeclaredBot);
        }
        let Some(view) = self.catalog.campaign(campaign)? else {
            return Ok(Verdict::NotLive);
        };
        let member = view.members.get(&link.enrollment);
        let takes_part = member.is_some_and(|member| {
            member.started_at <= now && member.ended_at.is_none_or(|ended| now < ended)
        });
        if !view.gate.is_credited(now) {
            Ok(Verdict::NotLive)
        } else if link.is_revoked || !takes_part {
            Ok(Verdict::EnrollmentEnded)
        } else {
            Ok(Verdict::Credited)
        }
    }

    fn agent(&self, keys: &Keys, user_agent: &[u8]) -> Agent {
        let user_agent = &user_agent[..user_agent.len().min(AGENT_BYTES_MAX)];
        if let Some(known) = self.agents.get(user_agent) {
            return known;
        }
        let fingerprint = AgentFingerprint::new(keys.set.pepper(), user_agent);
        let agent = Agent { is_declared_bot: is_declared_bot(user_agent), fingerprint };
        if agent.is_declared_bot {
            self.bots.note(fingerprint);
        }
        self.agents.insert(user_agent.into(), agent);
        agent
    }
}
