//! Attribution and evidence as an outsider meets them: tokens, promo codes, destinations, dedup keys,
//! checkpoints and receipts. Golden files freeze every format; forgeries are made by hand and by
//! dice; checkpoints and receipts are judged by other people's programs.

mod codes;
mod dedup;
mod destinations;
mod fixture;
mod golden;
mod mutants;
mod receipts;
mod tokens;
