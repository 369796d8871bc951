//! One installation with fixed secrets, and dice with a seed.

use std::net::{IpAddr, Ipv4Addr};

use data_encoding::BASE64URL_NOPAD;
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::key_set::{KeySet, MacKey, Purpose};
use sponsorhub_core::attribution::keys::{Keyring, KeyringId, Mode, Secret};
use sponsorhub_core::attribution::link::LinkToken;
use sponsorhub_core::ids::{CampaignId, ClickId, EnrollmentId};

pub(crate) const NOW: i64 = 1_728_000_000_000;
pub(crate) const DAY: i64 = 86_400_000;

/// The attribution and replay windows of the default terms.
pub(crate) const WINDOW: i64 = 37 * DAY;

pub(crate) fn window(_: CampaignId) -> i64 {
    WINDOW
}

/// Bytes that count up.
pub(crate) fn counting<const N: usize>(from: u8) -> [u8; N] {
    let mut byte = from;
    [(); N].map(|()| {
        byte = byte.wrapping_add(1);
        byte.wrapping_sub(1)
    })
}

pub(crate) const KEYRING: KeyringId = KeyringId([0x0b; 16]);

pub(crate) fn secret() -> Secret {
    Secret(counting(0x20))
}

pub(crate) fn keyring(mode: Mode) -> Keyring {
    Keyring::make(KEYRING, mode, secret(), NOW - 100 * DAY)
}

pub(crate) fn keys() -> KeySet {
    KeySet::new(&keyring(Mode::Test))
}

/// Dice that fall the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        // A counter scrambled by multiplications and shifts is even enough for tests.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a small number");
        usize::try_from(self.next() % limit).expect("a small number")
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.next().to_be_bytes()[0])
    }
}

pub(crate) fn link(dice: &mut Dice) -> LinkToken {
    LinkToken {
        campaign: CampaignId(dice.bytes()),
        enrollment: EnrollmentId(dice.bytes()),
        number: u32::from_be_bytes(dice.bytes()),
    }
}

pub(crate) fn click(keys: &KeySet, dice: &mut Dice) -> ClickToken {
    let address = IpAddr::V4(Ipv4Addr::from(dice.bytes::<4>()));
    ClickToken {
        campaign: CampaignId(dice.bytes()),
        enrollment: EnrollmentId(dice.bytes()),
        link: u32::from_be_bytes(dice.bytes()),
        click: ClickId::try_new(NOW, dice.bytes()).expect("a time of a click"),
        network: NetworkFingerprint::new(keys.pepper(), address),
        agent: AgentFingerprint::new(keys.pepper(), &dice.bytes::<20>()),
    }
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).expect("a token")
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// A token of these bytes with a right MAC under the purpose's key, as a thief of that key makes it.
pub(crate) fn forged(unsigned: &[u8], purpose: Purpose, mode: Mode) -> String {
    let key = MacKey::new(&purpose.derive(KEYRING, mode, secret()));
    encoded(&[unsigned, &key.tag(&[unsigned])[..16]].concat())
}

pub(crate) fn proof(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "proof: {line}").expect("stdout");
}
