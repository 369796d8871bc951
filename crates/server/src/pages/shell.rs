//! What is around every page: header, navigation, footer.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sponsorhub_core::actor::Side;
use sponsorhub_core::attribution::keys::Mode;

use super::assets::{self, Paths};
use super::front::Front;
use crate::shared::Shared;

/// The cookie that keeps a chosen theme.
pub(super) const THEME: &str = "theme";

/// Light, dark, or as the reader's system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub(super) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The name in cookie and page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// What a press of the switch makes of it.
    const fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }
}

/// Who reads a page.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) side: Side,
    /// None before they joined, and of operators.
    pub(super) name: Option<String>,
    pub(super) has_joined: bool,
}

/// Told by whoever finds out who reads, so that a page about an error can say it too.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<OnceLock<Who>>);

impl Known {
    pub(super) fn tell(&self, who: Who) {
        // Told once is enough.
        drop(self.0.set(who));
    }

    pub(super) fn who(&self) -> Option<Who> {
        self.0.get().cloned()
    }
}

/// A word of the navigation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) href: &'static str,
    pub(super) text: &'static str,
    /// Whether what lies below its address belongs to it.
    has_below: bool,
}

const fn way(href: &'static str, text: &'static str) -> Way {
    Way { href, text, has_below: false }
}

const OF_BRAND: &[Way] = &[way("/brand", "Campaigns"), SHOP];
const SHOP: Way = Way { href: "/brand/shop", text: "Your shop", has_below: true };
const OF_CREATOR: &[Way] =
    &[way("/creator", "Earnings"), way("/creator/campaigns", "Find campaigns")];
const OF_ADMIN: &[Way] = &[
    way("/admin", "Overview"),
    way("/admin/holds", "Holds to review"),
    Way { href: "/admin/people", text: "People", has_below: true },
    way("/admin/workers", "Workers"),
    Way { href: "/admin/webhooks", text: "Webhooks", has_below: true },
    way("/admin/access-log", "Access log"),
    way("/admin/keys", "Keys"),
];

/// What is around a page.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) theme: Theme,
    /// The address of this page, to come back to.
    pub(super) here: String,
    path: String,
    pub(super) who: Option<Who>,
    pub(super) assets: Paths,
    pub(super) is_sandbox: bool,
    /// The key of the identity provider's script and where it comes from, where there is one.
    pub(super) clerk: Option<(String, String)>,
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Shell {
    pub(super) fn new(shared: &Shared, parts: &Parts, who: Option<Who>) -> Self {
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let theme = cookie(&parts.headers, THEME).and_then(Theme::from_name).unwrap_or_default();
        let clerk = match &shared.front {
            Front::Clerk { key, host } => Some((key.clone(), host.clone())),
            Front::Sandbox { .. } | Front::Nothing => None,
        };
        Self {
            title: String::new(),
            theme,
            here,
            path: parts.uri.path().to_owned(),
            who,
            assets: assets::paths(),
            is_sandbox: shared.catalog.keys().set.mode() == Mode::Sandbox,
            clerk,
        }
    }

    pub(super) fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The navigation of the reader's side.
    pub(super) fn ways(&self) -> &'static [Way] {
        match self.who.as_ref().filter(|who| who.has_joined).map(|who| who.side) {
            Some(Side::Brand) => OF_BRAND,
            Some(Side::Creator) => OF_CREATOR,
            Some(Side::Admin) => OF_ADMIN,
            None => &[],
        }
    }

    /// Whether a word of the navigation is where the reader is. Pages that have none of their own belong to
    /// the first.
    pub(super) fn is_here(&self, href: &str) -> bool {
        let is_it = |way: &&Way| {
            let below = self.path.strip_prefix(way.href);
            below == Some("") || (way.has_below && below.is_some_and(|it| it.starts_with('/')))
        };
        let exact = self.ways().iter().find(is_it).map(|way| way.href);
        let first = self.ways().first().map(|way| way.href);
        let belongs = first.filter(|first| self.path.starts_with(first));
        exact.or(belongs) == Some(href)
    }

    /// Where the reader's side begins.
    pub(super) fn home(&self) -> &'static str {
        self.ways().first().map_or("/", |way| way.href)
    }

    /// What the header calls the reader.
    pub(super) fn reader(&self) -> Option<&str> {
        let who = self.who.as_ref()?;
        let usual = match who.side {
            Side::Brand => "Brand",
            Side::Creator => "Creator",
            Side::Admin => "Operator",
        };
        Some(who.name.as_deref().unwrap_or(usual))
    }

    /// What a press of the switch would choose.
    pub(super) fn next_theme(&self) -> &'static str {
        self.theme.next().name()
    }
}
