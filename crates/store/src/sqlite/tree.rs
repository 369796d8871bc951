//! The tree of a campaign from its stored tiles and the entries behind the last full one.

use rusqlite::{Connection, OptionalExtension as _};
use sponsorhub_core::merkle::{
    Hash, ProveError, TILE_WIDTH, Tile, TileError, TileId, TileSource, TileWriter,
    consistency_proof, inclusion_proof, leaf_hash,
};

use super::open::fault;
use super::position::CampaignNo;
use crate::error::StoreError;

/// Why a tile was not read: it is not there, or the database failed.
type TileFault = Option<rusqlite::Error>;

/// The bytes of a stored tile.
pub(super) fn read_tile(
    connection: &Connection,
    no: CampaignNo,
    id: TileId,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM tiles WHERE pos = ?1")?;
    statement.query_row([no.tile(id)], |row| row.get(0)).optional()
}

/// Stores tiles that became full.
pub(super) fn insert_tiles(
    connection: &Connection,
    no: CampaignNo,
    tiles: &[Tile],
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO tiles (pos, bytes) VALUES (?1, ?2)")?;
    for tile in tiles {
        statement.raw_bind_parameter(1, no.tile(tile.id))?;
        statement.raw_bind_parameter(2, &tile.bytes[..])?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// The tree of the first `size` entries.
pub(super) fn restore(
    connection: &Connection,
    no: CampaignNo,
    size: u64,
) -> Result<TileWriter, StoreError> {
    let width = u64::try_from(TILE_WIDTH).expect("256");
    let first = size - size % width + 1;
    let leaves = leaves(connection, no, first, size).map_err(fault)?;
    TileWriter::restore(size, &leaves, |id| read(connection, no, id)).map_err(damaged)
}

fn leaves(
    connection: &Connection,
    no: CampaignNo,
    first: u64,
    last: u64,
) -> rusqlite::Result<Vec<Hash>> {
    let sql = "SELECT bytes FROM entries WHERE pos BETWEEN ?1 AND ?2 ORDER BY pos";
    let mut statement = connection.prepare_cached(sql)?;
    let leaf = |row: &rusqlite::Row<'_>| {
        let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok(leaf_hash(bytes))
    };
    statement.query_map([no.entry(first), no.entry(last)], leaf)?.collect()
}

fn read(connection: &Connection, no: CampaignNo, id: TileId) -> Result<Vec<u8>, TileFault> {
    read_tile(connection, no, id).map_err(Some)?.ok_or(None)
}

fn damaged(error: TileError<TileFault>) -> StoreError {
    match error {
        TileError::Read { source: Some(error), .. } => fault(error),
        TileError::Read { id, source: None } => {
            StoreError::Corrupt(format!("tile {} of level {} is missing", id.index, id.level))
        }
        TileError::Malformed { id, bytes } => {
            StoreError::Corrupt(format!("tile {} of level {}: {bytes} bytes", id.index, id.level))
        }
        TileError::Missing { height, index, size } => StoreError::Corrupt(format!(
            "no complete subtree {index} of height {height} in {size} entries"
        )),
        TileError::Leaves { given, size } => {
            StoreError::Corrupt(format!("{given} entries behind the last tile of {size}"))
        }
    }
}

/// Proof that leaf `index`, from 0, is in `tree`.
pub(super) fn prove_inclusion(
    connection: &Connection,
    no: CampaignNo,
    tree: &TileWriter,
    index: u64,
) -> Result<Vec<Hash>, StoreError> {
    let mut source = TileSource::new(tree, |id| read(connection, no, id));
    inclusion_proof(&mut source, index, tree.size()).map_err(unproven)
}

/// Proof that `tree` goes on from its first `old` leaves.
pub(super) fn prove_consistency(
    connection: &Connection,
    no: CampaignNo,
    tree: &TileWriter,
    old: u64,
) -> Result<Vec<Hash>, StoreError> {
    let mut source = TileSource::new(tree, |id| read(connection, no, id));
    consistency_proof(&mut source, old, tree.size()).map_err(unproven)
}

fn unproven(error: ProveError<TileError<TileFault>>) -> StoreError {
    match error {
        ProveError::Source(error) => damaged(error),
        ProveError::Index { index, size } => {
            StoreError::Corrupt(format!("leaf {index} of a tree of {size}"))
        }
        ProveError::Sizes { old, new } => {
            StoreError::Corrupt(format!("a tree of {new} from one of {old}"))
        }
    }
}
