//! Which visitors say that they are machines.
//!
//! Only what declares itself: crawlers, previews, HTTP libraries, headless browsers. Whoever lies is
//! for the risk rules. The words are those that such user agents have in common, so that a new
//! crawler that names itself like the others is known without a list.

use quick_cache::sync::Cache;
use sponsorhub_core::attribution::click::AgentFingerprint;

/// Parts of a user agent, lower case, that no browser of a person has.
const MACHINES: [&str; 49] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "scrape",
    "archiver",
    "fetch",
    "preview",
    "monitor",
    "uptime",
    "pingdom",
    "statuscake",
    "lighthouse",
    "pagespeed",
    "gtmetrix",
    "validator",
    "checker",
    "scanner",
    "headless",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "python",
    "curl/",
    "wget",
    "libwww",
    "java/",
    "okhttp",
    "go-http-client",
    "axios/",
    "node-fetch",
    "undici",
    "httpclient",
    "http_request",
    "ruby",
    "perl",
    "php/",
    "postman",
    "insomnia",
    "facebookexternalhit",
    "facebookcatalog",
    "whatsapp/",
    "embedly",
    "feed",
    "google-",
    "mediapartners",
    "bingpreview",
    "yandex.com/bots",
];

/// Parts that look like one of the above and are not.
const PEOPLE: [&str; 3] = ["cubot", "powerbook", "robotics tablet"];

/// Whether a user agent declares that no person looks at the page. None at all counts as a
/// declaration too: every browser sends one.
pub fn is_declared_bot(user_agent: &[u8]) -> bool {
    if user_agent.is_empty() {
        return true;
    }
    let agent = String::from_utf8_lossy(user_agent).to_ascii_lowercase();
    let agent = PEOPLE.iter().fold(agent, |agent, person| agent.replace(person, ""));
    MACHINES.iter().any(|machine| agent.contains(machine))
}

/// Bots that declared themselves to this process, by the keyed hash of their user agent: whatever
/// token one of them got hold of earns nothing.
#[derive(Debug)]
pub struct DeclaredBots(Cache<[u8; 8], ()>);

impl Default for DeclaredBots {
    fn default() -> Self {
        Self(Cache::new(20_000))
    }
}

impl DeclaredBots {
    /// Remembers one.
    pub fn note(&self, agent: AgentFingerprint) {
        self.0.insert(agent.0, ());
    }

    /// Whether this is one of them.
    pub fn contains(&self, agent: AgentFingerprint) -> bool {
        self.0.get(&agent.0).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_declares_itself_is_a_machine_and_browsers_are_not() {
        let machines = [
            "",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36",
            "curl/8.5.0",
            "python-requests/2.32.3",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
            "WhatsApp/2.23.20.0",
        ];
        for agent in machines {
            assert!(is_declared_bot(agent.as_bytes()), "{agent}");
        }
        let people = [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 350.0.0.19.92",
            "Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.6; rv:145.0) Gecko/20100101 Firefox/145.0",
        ];
        for agent in people {
            assert!(!is_declared_bot(agent.as_bytes()), "{agent}");
        }
        assert!(!is_declared_bot(b"Mozilla/5.0 \xff\xfe"), "bytes that are no text");
    }
}
