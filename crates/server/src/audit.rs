//! `sponsorhub audit`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use sponsorhub_app::audit::{CampaignReport, audit_campaign, strays};
use sponsorhub_core::ids::CampaignId;
use sponsorhub_store::{Reader, StoreError, open_read_only};

/// Campaigns per page of the list.
const PAGE: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the installation keeps its data.
    #[arg(
        long,
        env = "SPONSORHUB_DATA_DIR",
        default_value = "sponsorhub-data",
        value_name = "DIR"
    )]
    data_dir: PathBuf,
    /// Audit this campaign only (`cmp_…`). What belongs to no ledger is looked for all the same.
    #[arg(long, value_name = "ID")]
    campaign: Option<CampaignId>,
    /// Print one JSON object instead of lines for people.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let directory = arguments.data_dir.as_path();
    let open =
        || -> Result<Box<dyn Reader>, StoreError> { Ok(Box::new(open_read_only(directory)?)) };
    let mut reader = open().with_context(|| format!("opening {}", directory.display()))?;
    let campaigns = match arguments.campaign {
        Some(campaign) => vec![campaign],
        None => all_campaigns(reader.as_mut())?,
    };
    let mut entries = 0;
    for campaign in &campaigns {
        match reader.head(*campaign) {
            Ok(Some(head)) => entries += head.seq,
            Ok(None) => bail!("there is no campaign {campaign} here"),
            // The audit of that campaign says what is wrong, and the others are audited as well.
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(reader);
    let bar = progress_bar(entries);
    let mut out = std::io::stdout().lock();
    let mut reports = Vec::new();
    for campaign in campaigns {
        let report = audit_campaign(&open, campaign, &mut |count| bar.inc(count))
            .with_context(|| format!("auditing {campaign}"))?;
        if !arguments.json {
            bar.suspend(|| say(&mut out, &report))?;
        }
        reports.push(report);
    }
    bar.finish_and_clear();
    let strays = strays(&open).context("looking for what belongs to no ledger")?;
    let wrong = reports.iter().filter(|report| report.finding.is_some()).count() + strays.len();
    let entries: u64 = reports.iter().map(|report| report.entries).sum();
    if arguments.json {
        let ok = wrong == 0;
        let object =
            json!({ "ok": ok, "entries": entries, "campaigns": reports, "strays": strays });
        writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
    } else {
        for stray in strays {
            writeln!(out, "WRONG  beside the ledgers: {stray} [stray]")?;
        }
        let verdict = if wrong == 0 { "audit passed".into() } else { format!("{wrong} WRONG") };
        writeln!(out, "{verdict}: {} campaigns, {entries} entries", reports.len())?;
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn all_campaigns(reader: &mut dyn Reader) -> Result<Vec<CampaignId>> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = reader.campaigns(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.no;
        all.extend(page.iter().map(|listed| listed.campaign));
    }
}

fn say(out: &mut impl std::io::Write, report: &CampaignReport) -> std::io::Result<()> {
    let CampaignReport { campaign, entries, state, root, finding } = report;
    match finding {
        None => {
            let (state, root) = (state.unwrap_or("?"), root.as_deref().unwrap_or("?"));
            writeln!(out, "ok     {campaign}  {entries} entries, {state}, root {root}")
        }
        Some(finding) => {
            let place = match (finding.entry, finding.up_to) {
                (Some(entry), Some(up_to)) => format!("entry {entry} or one up to {up_to}"),
                (Some(entry), None) => format!("entry {entry}"),
                (None, _) => "beside the entries".to_owned(),
            };
            writeln!(out, "WRONG  {campaign}  {place}: {} [{}]", finding.detail, finding.code)
        }
    }
}

fn progress_bar(entries: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} entries, {per_sec}, {eta} left",
    );
    ProgressBar::with_draw_target(Some(entries), target)
        .with_style(style.expect("a valid template"))
}
