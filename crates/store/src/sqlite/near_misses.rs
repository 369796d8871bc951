//! Near misses: a ring of the newest for each brand, and counts by day.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use sponsorhub_core::ids::BrandId;
use sponsorhub_core::time::day_of;

use super::position::signed;
use crate::registry::{NEAR_MISS_CHARACTERS, NEAR_MISS_DAYS, NEAR_MISSES_MAX, NearMiss};

/// Writes them down, passes over brands that are unknown, and lets the oldest go.
pub(super) fn note(connection: &Connection, misses: &[NearMiss]) -> rusqlite::Result<()> {
    let mut brands = BTreeSet::new();
    let mut counts: BTreeMap<(BrandId, i64, &str), i64> = BTreeMap::new();
    for miss in misses {
        if insert(connection, miss)? {
            brands.insert(miss.brand);
            let code = cut(&miss.code);
            *counts.entry((miss.brand, day_of(miss.at), code)).or_default() += 1;
        }
    }
    for ((brand, day, code), count) in counts {
        connection
            .prepare_cached(
                "INSERT INTO near_miss_counts (brand_id, day, code, count) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET count = count + ?4",
            )?
            .execute(params![brand.0, day, code, count])?;
    }
    brands.into_iter().try_for_each(|brand| forget(connection, brand))
}

/// False where the brand is unknown.
fn insert(connection: &Connection, miss: &NearMiss) -> rusqlite::Result<bool> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO near_misses (brand_id, no, at_ms, code, field, campaign_id, detail)
         SELECT ?1, (SELECT ifnull(max(no), 0) + 1 FROM near_misses WHERE brand_id = ?1),
            ?2, ?3, ?4, ?5, ?6
         WHERE EXISTS (SELECT 1 FROM brands WHERE id = ?1)",
    )?;
    let inserted = insert.execute(params![
        miss.brand.0,
        miss.at,
        cut(&miss.code),
        miss.field.as_deref().map(cut),
        miss.campaign.map(|campaign| campaign.0),
        cut(&miss.detail),
    ])?;
    Ok(inserted == 1)
}

fn forget(connection: &Connection, brand: BrandId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM near_misses WHERE brand_id = ?1
             AND no <= (SELECT max(no) FROM near_misses WHERE brand_id = ?1) - ?2",
        )?
        .execute(params![brand.0, signed(NEAR_MISSES_MAX)])?;
    connection
        .prepare_cached(
            "DELETE FROM near_miss_counts WHERE brand_id = ?1
             AND day <= (SELECT max(day) FROM near_miss_counts WHERE brand_id = ?1) - ?2",
        )?
        .execute(params![brand.0, NEAR_MISS_DAYS])?;
    Ok(())
}

/// The text up to the most characters that are kept of one.
fn cut(text: &str) -> &str {
    text.char_indices().nth(NEAR_MISS_CHARACTERS).map_or(text, |(end, _)| &text[..end])
}
