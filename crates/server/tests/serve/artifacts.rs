//! Click tokens and promo codes that are not what they say, or worth nothing at that time: a precise
//! answer each, nothing recorded, and the key is free for the report that is right.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sponsorhub_app::keyring_file;
use sponsorhub_app::ports::random;
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::key_set::KeySet;
use sponsorhub_core::attribution::keys::{Keyring, KeyringId, Mode, Secret};
use sponsorhub_core::attribution::promo_code;
use sponsorhub_core::campaign::state::State;
use sponsorhub_core::deposit::{MoneyLeft, ObservedDeposit, check_deposit};
use sponsorhub_core::enrollment::Offer;
use sponsorhub_core::ids::{CampaignId, ClickId, EnrollmentId};
use sponsorhub_core::ledger::event::campaign::StateCause;
use sponsorhub_core::ledger::event::deposit::ReversalCause;
use sponsorhub_core::money::Minor;
use sponsorhub_store::Change;

use crate::fixture::{self, Fixture, FixtureChance, now, plan};
use crate::{Server, World, order, time, with};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A click of a visitor whom nobody has seen before.
fn click(keys: &KeySet, (campaign, enrollment): (CampaignId, EnrollmentId), at: i64) -> String {
    let click = ClickId::try_new(at, random(&FixtureChance)).expect("a time of a click");
    let network = NetworkFingerprint(random(&FixtureChance));
    let agent = AgentFingerprint(random(&FixtureChance));
    ClickToken { campaign, enrollment, link: 1, click, network, agent }.sign(keys)
}

fn by_click(click: &str, id: &str) -> Value {
    with(with(order("x", id), "code", Value::Null), "click", click.into())
}

fn whose(made: &Fixture, creator: usize) -> (CampaignId, EnrollmentId) {
    (made.campaign, made.enrollments[creator])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn keys_of(directory: &Path) -> KeySet {
    KeySet::new(&keyring_file::read(directory).expect("there"))
}

fn serve(directory: tempfile::TempDir, made: Fixture) -> World {
    let server = Server::start(directory.path(), &[]);
    World { directory, made, server }
}

/// Each report is refused with its code, nothing is recorded, and the report that is right afterwards
/// finds its key free.
fn all_refused(world: &World, cases: &[(&str, Value, &str)], good: &Value) {
    let before = world.entries();
    let mut client = world.client();
    for (what, body, code) in cases {
        let answer = client.report(body);
        let told = (answer.status, answer.code());
        assert_eq!(told, (422, (*code).to_owned()), "{what}: {}", answer.text());
    }
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    let told = client.report(good).json();
    assert_eq!(
        (&told["result"], &told["duplicate"]),
        (&json!("accepted"), &json!(false)),
        "{told}"
    );
    assert_eq!(world.entries(), before + 1);
}

/// Puts a keyring that is as old as a test likes where the server looks for it.
fn restore(directory: &Path, keyring: &Keyring) {
    let path = directory.join(keyring_file::FILE);
    std::fs::write(&path, keyring.render()).expect("written");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its owner's");
}

/// The bytes of a token, changed and encoded again as a token is.
fn reencoded(token: &str, change: impl FnOnce(&mut [u8])) -> String {
    let mut bytes = BASE64URL_NOPAD.decode(token.as_bytes()).expect("a token");
    change(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

#[test]
fn inv_5_a_token_of_another_mode_key_or_spelling_is_refused_and_uses_no_key_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let (id, secret) = (KeyringId(random(&FixtureChance)), Secret(random(&FixtureChance)));
    let mut keyring = Keyring::make(id, Mode::Sandbox, secret, now() - 100 * DAY);
    let retired = KeySet::new(&keyring);
    // Attribution and replay window are 37 days together.
    keyring.rotate(Secret(random(&FixtureChance)), now() - 38 * DAY).expect("room");
    let overlapping = KeySet::new(&keyring);
    keyring.rotate(Secret(random(&FixtureChance)), now() - 36 * DAY).expect("room");
    restore(directory.path(), &keyring);
    let made = fixture::make(directory.path(), &plan(2));
    let world = serve(directory, made);
    let keys = keys_of(world.directory.path());
    let (at, who) = (now() - HOUR, whose(&world.made, 0));
    let token = click(&keys, who, at);
    // One in which the two alphabets differ.
    let tokens = std::iter::repeat_with(|| click(&keys, who, at));
    let telling = tokens.into_iter().find(|token| token.contains(['-', '_'])).expect("soon");
    let standard = telling.replace('-', "+").replace('_', "/");
    let mut unknown = keyring.clone();
    unknown.rotate(Secret(random(&FixtureChance)), now()).expect("room");
    let test_mode = KeySet::new(&Keyring::make(id, Mode::Test, secret, at));
    let forger = Keyring::make(id, Mode::Sandbox, Secret(random(&FixtureChance)), at);
    let neighbour = Keyring::make(KeyringId([7; 16]), Mode::Sandbox, secret, at);
    let other = click(&keys, whose(&world.made, 1), at);
    let spliced = format!("{}{}", &token[..60], &other[60..]);
    // Bytes 4 to 20 are the campaign, 20 to 36 the enrollment.
    let shifted = reencoded(&token, |bytes| bytes[4..36].rotate_left(16));
    let later = reencoded(&token, |bytes| bytes[45] ^= 1);
    let case = |what, token: &str, code| (what, by_click(token, "victim"), code);
    let by = |keys: &Keyring| click(&KeySet::new(keys), who, at);
    let cases = [
        case("standard alphabet", &standard, "click_malformed"),
        case("padded", &format!("{token}=="), "click_malformed"),
        case("a line behind it", &format!("{token}\n"), "click_malformed"),
        case("percent-encoded", &token.replacen('A', "%41", 1), "click_malformed"),
        case("another mode", &click(&test_mode, who, at), "click_other_mode"),
        case("no such mode", &reencoded(&token, |b| b[1] = 9), "click_malformed"),
        case("another version", &reencoded(&token, |b| b[0] = 2), "click_other_version"),
        case("an unknown key", &by(&unknown), "click_unknown_key"),
        case("a forged key", &by(&forger), "click_not_authentic"),
        case("another installation", &by(&neighbour), "click_not_authentic"),
        case("fields shifted", &shifted, "click_not_authentic"),
        case("two tokens spliced", &spliced, "click_not_authentic"),
        case("another time of the click", &later, "click_not_authentic"),
        case("a retired key", &click(&retired, who, at), "click_retired_key"),
    ];
    all_refused(&world, &cases, &by_click(&token, "victim"));
    let within = world.client().report(&by_click(&click(&overlapping, who, at), "overlap"));
    assert_eq!(within.status, 200, "rotation overlaps: {}", within.text());
}

#[test]
fn inv_5_every_single_bit_flip_and_truncation_of_a_token_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = fixture::make(directory.path(), &plan(1));
    let world = serve(directory, made);
    let token = click(&keys_of(world.directory.path()), whose(&world.made, 0), now() - HOUR);
    let before = world.entries();
    let mut client = world.client();
    let body = by_click("TOKEN", "flipped").to_string();
    let mut refused = |token: &str| {
        let body = body.replace("TOKEN", token);
        let answer = client.send("POST", "/v", &[], body.as_bytes()).expect("answered");
        assert!(matches!(answer.status, 400 | 422), "{token}: {}", answer.text());
    };
    let bits = BASE64URL_NOPAD.decode(token.as_bytes()).expect("a token").len() * 8;
    for bit in 0..bits {
        refused(&reencoded(&token, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)));
    }
    for length in 0..token.len() {
        refused(&token[..length]);
        refused(&token[token.len() - length..]);
    }
    assert_eq!(world.entries(), before, "INV-5: nothing was recorded");
    assert_eq!(client.report(&by_click(&token, "flipped")).status, 200);
}

#[test]
fn inv_5_a_click_outside_its_windows_or_of_somebody_else_is_refused_and_uses_no_key_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let made = fixture::make(&path, &plan(1));
    let foreign = fixture::make(&path, &plan(1));
    fixture::command(&path, made.campaign, now() - 3 * HOUR, |draft| {
        draft.pause(StateCause::Brand).expect("live");
    });
    fixture::command(&path, made.campaign, now() - 2 * HOUR, |draft| {
        draft.resume().expect("paused");
    });
    let world = serve(directory, made);
    let (keys, who) = (keys_of(&path), whose(&world.made, 0));
    let at = |at| click(&keys, who, at);
    let of = |who| click(&keys, who, now() - HOUR);
    let case = |what, token: &str, code| (what, by_click(token, "victim"), code);
    let nobody = EnrollmentId([9; 16]);
    let old = with(by_click(&at(now() - HOUR), "victim"), "occurred_at", time(-2 * 3_600).into());
    let cases = [
        case("while it was paused", &at(now() - 150 * MINUTE), "click_not_credited"),
        case("before it was live", &at(now() - 2 * DAY), "click_not_credited"),
        case("after the attribution window", &at(now() - 31 * DAY), "click_expired"),
        case("in the future", &at(now() + HOUR), "occurred_before_click"),
        ("an order before its click", old, "occurred_before_click"),
        case("an unknown creator", &of((who.0, nobody)), "click_unknown"),
        case("an unknown campaign", &of((CampaignId([9; 16]), nobody)), "click_of_another_brand"),
        case("another brand", &of(whose(&foreign, 0)), "click_of_another_brand"),
    ];
    all_refused(&world, &cases, &by_click(&at(now() - HOUR), "victim"));
}

/// Funds a campaign of the fixture that is a draft, and enrolls its creators.
fn fund(directory: &Path, made: &Fixture, is_reversed: bool) {
    let (id, at) = (made.campaign, now() - HOUR);
    let command = |change: &mut dyn FnMut(&mut _)| fixture::command(directory, id, at, change);
    let mut total = Minor(0);
    let mut deposit = 0;
    command(&mut |draft: &mut sponsorhub_core::ledger::draft::Draft| {
        let budget = draft.campaign().terms().budget;
        total = Minor(budget.0 + budget.0 / 10);
        draft.expect_deposit(total, budget, "cs_1".to_owned()).expect("expected");
        deposit = draft.campaign().head();
    });
    command(&mut |draft| {
        let expected = draft.campaign().expected_deposit(deposit).expect("expected");
        let observed = ObservedDeposit {
            campaign: id,
            amount: total,
            currency: "usd".to_owned(),
            mode: Mode::Sandbox,
            session: "cs_1".into(),
            payment: "pi_1".into(),
            is_paid: true,
        };
        draft
            .confirm_deposit(check_deposit(&expected, &observed).expect("as expected"))
            .expect("fits");
        draft.enroll(made.enrollments[0], Offer::default()).expect("funded");
    });
    if is_reversed {
        let cause = ReversalCause::Refund;
        let left = MoneyLeft { case: "re_1".into(), amount: total, cause, dispute_fee: Minor(0) };
        command(&mut |draft| {
            draft.reverse_deposit(deposit, left.clone()).expect("was paid in");
            assert_eq!(draft.campaign().state(), State::Draft);
        });
    }
}

#[test]
fn inv_9_a_campaign_that_is_not_funded_or_not_launched_takes_no_events() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let made = fixture::make(&path, &plan(1));
    let draft =
        || fixture::make(&path, &fixture::Plan { is_live: false, brand: made.brand, ..plan(1) });
    let [bare, waiting, drained] = [draft(), draft(), draft()];
    fund(&path, &waiting, false);
    fund(&path, &drained, true);
    let world = serve(directory, made);
    let keys = keys_of(&path);
    let case = |what, made: &Fixture, code| {
        let token = click(&keys, whose(made, 0), now() - MINUTE);
        (what, by_click(&token, "victim"), code)
    };
    let cases = [
        case("nothing was paid in and nobody enrolled", &bare, "click_unknown"),
        case("funded and not launched", &waiting, "campaign_takes_no_events"),
        case("its money was taken back", &drained, "campaign_takes_no_events"),
    ];
    let good = click(&keys, whose(&world.made, 0), now() - HOUR);
    all_refused(&world, &cases, &by_click(&good, "victim"));
    let mut reader = sponsorhub_store::open_read_only(&path).expect("opens");
    let reader: &mut dyn sponsorhub_store::Reader = &mut reader;
    for made in [bare, waiting, drained] {
        let rows = reader.projections(made.campaign).expect("reads").expect("there");
        assert!(rows.enrollments.iter().all(|row| row.n <= 1), "INV-9: no event came in");
    }
}

#[test]
fn codes_that_credit_nobody_answer_alike_and_the_spelling_of_a_valid_one_is_forgiven() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let (made, foreign) = (fixture::make(&path, &plan(3)), fixture::make(&path, &plan(1)));
    let revoked = promo_code::fold(&made.codes[1]).expect("a code").as_str().to_owned();
    let keyring = fixture::keyring(&path, now());
    let store = fixture::open(&path, &keyring, now());
    let (brand, at) = (made.brand, now());
    fixture::record(&store, Change::RevokePromoCode { brand, folded: revoked, at });
    drop(store);
    fixture::command(&path, made.campaign, now() - 2 * HOUR, |draft| {
        draft.end_enrollment(made.enrollments[2]).expect("enrolled");
    });
    let world = serve(directory, made);
    let code = &world.made.codes[0];
    let full_width: String = code.chars().map(|c| if c == '0' { '\u{ff10}' } else { c }).collect();
    let early = with(order(code, "victim"), "occurred_at", time(-2 * 86_400).into());
    let left = |field, value| with(order(&world.made.codes[2], "victim"), field, value);
    let cases = [
        ("unknown", order("NOBODY-7K3QX", "victim"), "code_not_valid"),
        ("another brand's", order(&foreign.codes[0], "victim"), "code_not_valid"),
        ("revoked", order(&world.made.codes[1], "victim"), "code_not_valid"),
        ("its creator has left", order(&world.made.codes[2], "victim"), "code_not_valid"),
        ("before its creator came", early, "code_not_valid"),
        ("left, other currency", left("currency", "EUR".into()), "code_not_valid"),
        ("left, unpaid type", left("type", "signup".into()), "code_not_valid"),
        ("left, in the future", left("occurred_at", time(86_400).into()), "code_not_valid"),
        ("Cyrillic", order(&code.replace('A', "\u{410}"), "victim"), "code_not_valid"),
        ("full width", order(&full_width, "victim"), "code_not_valid"),
        ("invisible", order(&format!("{code}\u{200b}"), "victim"), "code_not_valid"),
        ("no code at all", order("'; DROP TABLE entries; --", "victim"), "code_not_valid"),
    ];
    // Foreign, ended and unknown codes cannot be told apart, down to the last byte.
    let mut client = world.client();
    let answers = cases.each_ref().map(|(_, body, _)| client.report(body).text());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    all_refused(&world, &cases, &order(code, "victim"));
    let earlier =
        with(order(&world.made.codes[2], "before"), "occurred_at", time(-3 * 3_600).into());
    assert_eq!(client.report(&earlier).status, 200, "an order from before the creator left counts");
    // As people type it: the same code, so the same report.
    for typed in [
        code.to_lowercase(),
        code.replace('-', " "),
        code.replace('0', "O"),
        code.replace('0', "o"),
    ] {
        let told = client.report(&order(&typed, "victim")).json();
        assert_eq!(told["duplicate"], true, "{typed}: {told}");
    }
}

#[test]
fn a_click_after_its_creator_has_left_is_recorded_as_rejected_with_a_receipt() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let made = fixture::make(&path, &plan(2));
    fixture::command(&path, made.campaign, now() - 2 * HOUR, |draft| {
        draft.end_enrollment(made.enrollments[1]).expect("enrolled");
    });
    let world = serve(directory, made);
    let (keys, who) = (keys_of(&path), whose(&world.made, 1));
    let before = world.entries();
    let late = by_click(&click(&keys, who, now() - HOUR), "late");
    let told = world.client().report(&late).json();
    assert_eq!(
        (&told["result"], &told["reason"]),
        (&json!("rejected"), &json!("enrollment_ended"))
    );
    assert_eq!(world.entries(), before + 1, "an entry says so");
    let again = world.client().report(&late).json();
    assert_eq!((&again["entry"], &again["reason"]), (&told["entry"], &told["reason"]));
    let earlier = by_click(&click(&keys, who, now() - 3 * HOUR), "earlier");
    assert_eq!(world.client().report(&earlier).json()["result"], "accepted");
}

#[test]
fn a_code_that_is_not_valid_does_not_take_the_order_from_a_click_that_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let made = fixture::make(&path, &plan(2));
    fixture::command(&path, made.campaign, now() - 2 * HOUR, |draft| {
        draft.end_enrollment(made.enrollments[1]).expect("enrolled");
    });
    let world = serve(directory, made);
    let keys = keys_of(&path);
    let token = || click(&keys, whose(&world.made, 0), now() - HOUR);
    let first = world.made.enrollments[0].to_string();
    for (code, id) in [("NOBODY-7K3QX", "unknown"), (&world.made.codes[1], "ended")] {
        let both = with(by_click(&token(), id), "code", code.into());
        let answer = world.client().report(&both);
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        let told = answer.json();
        assert_eq!(told["result"], "accepted", "{told}");
        assert!(text(&told, "entry").contains(&first), "the click's creator earns");
    }
    // A valid code beats the click, and the entry names both.
    let token = click(&keys, whose(&world.made, 1), now() - 3 * HOUR);
    let both = with(by_click(&token, "both"), "code", world.made.codes[0].clone().into());
    let told = world.client().report(&both).json();
    let entry: Value = serde_json::from_str(text(&told, "entry")).expect("JSON");
    assert_eq!(entry["enrollment"], json!(first), "{entry}");
    let artifact = text(&entry["body"], "artifact");
    let (code, click) = artifact.split_once(' ').expect("both are named");
    let (ours, _) = ClickToken::verify(&token, &keys, now(), |_| i64::MAX).expect("ours");
    assert!(code.starts_with("code_"), "{artifact}");
    assert_eq!(click, ours.click.to_string());
}
