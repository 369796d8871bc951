//! What was taken in once is answered by its first receipt for all time: after its windows, after its
//! key was revoked, after its creator left (INV-4).

use serde_json::{Value, json};
use sponsorhub_app::campaigns;
use sponsorhub_core::attribution::click::{AgentFingerprint, ClickToken, NetworkFingerprint};
use sponsorhub_core::attribution::keys::{KeyId, Secret};
use sponsorhub_core::ids::{ClickId, EnrollmentId};

use crate::reversing::{FIRST, Shop};
use crate::{DAY, HOUR, keyring};

const CREATOR_OF_FIRST: EnrollmentId = EnrollmentId([30; 16]);

fn click(shop: &Shop, number: u8) -> String {
    let click = ClickId::try_new(shop.scene.now() - HOUR / 2, [number; 10]).expect("a time");
    let (network, agent) = (NetworkFingerprint([number; 8]), AgentFingerprint([number; 8]));
    let (campaign, enrollment) = (FIRST, CREATOR_OF_FIRST);
    let token = ClickToken { campaign, enrollment, link: 1, click, network, agent };
    token.sign(&shop.catalog.keys().set)
}

fn by_click(shop: &Shop, id: &str, click: &str) -> Value {
    let mut order = shop.order(0, "sale", id);
    order.as_object_mut().expect("an object").remove("code");
    order["click"] = json!(click);
    order
}

#[test]
fn late_repetitions_get_the_first_answer_and_nothing_else_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let shop = Shop::open(directory.path());
    let known = |result: &str| Ok((result.to_owned(), true));
    let token = click(&shop, 1);
    let (coded, clicked) = (shop.order(0, "sale", "o1"), by_click(&shop, "o2", &token));
    for order in [&coded, &clicked] {
        assert_eq!(shop.report(order), Ok(("accepted".to_owned(), false)), "{order}");
    }
    // The creator leaves, every window passes, and the key that signed is revoked.
    let (desk, at) = (&shop.scene.desk, shop.scene.now());
    campaigns::end_enrollment(desk, FIRST, CREATOR_OF_FIRST, at).expect("ended");
    shop.scene.pass(100 * DAY);
    for order in [&coded, &clicked] {
        assert_eq!(shop.report(order), known("accepted"), "{order}");
    }
    let mut rotated = keyring();
    rotated.rotate(Secret([8; 32]), shop.scene.now()).expect("rotated");
    rotated.revoke(KeyId(1), shop.scene.now()).expect("revoked");
    shop.catalog.replace_keys(&rotated);
    for order in [&coded, &clicked] {
        assert_eq!(shop.report(order), known("accepted"), "{order}");
    }
    // Other content, another artifact, or a new order: refused as ever.
    let mut dearer = clicked.clone();
    dearer["amount"] = json!(10_001);
    let stolen = by_click(&shop, "o2", &click(&shop, 2));
    let mut fresh = clicked.clone();
    fresh["external_id"] = json!("o3");
    let mut without = coded.clone();
    without["code"] = json!("NOBODY7");
    for order in [dearer, stolen, fresh, without] {
        shop.report(&order).expect_err("nothing of it is in the ledger");
    }
}
