//! `sponsorhub keys`: API keys of brands, operators, and the masters of the keyring.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use axum::http::Method;
use sponsorhub_app::api_keys::{self, CONVERSIONS_WRITE, Issued, Listed, Wanted};
use sponsorhub_app::catalog::Keys;
use sponsorhub_app::keyring_file;
use sponsorhub_app::operators::{self, Operator};
use sponsorhub_app::ports::{Clock as _, random};
use sponsorhub_core::attribution::keys::{KeyId, Secret};
use sponsorhub_core::ids::{ApiKeyId, BrandId};
use sponsorhub_core::time::DAY_MS;
use sponsorhub_store::registry::{Access, ApiChange};
use sponsorhub_store::{Change, Options, SqliteStore, Store};

use crate::control;
use crate::world::{SystemChance, SystemClock};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the installation keeps its data.
    #[arg(
        long,
        global = true,
        env = "SPONSORHUB_DATA_DIR",
        default_value = "sponsorhub-data",
        value_name = "DIR"
    )]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Issues an API key for a brand's shop, and shows it this one time.
    Create {
        /// Whose shop (`brd_…`).
        #[arg(long, value_name = "ID")]
        brand: BrandId,
        /// Reports under this key must be signed.
        #[arg(long)]
        signed: bool,
        /// The key is valid for so many days; without it, until it is revoked.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// Lists the API keys of a brand.
    List {
        /// Whose (`brd_…`).
        #[arg(long, value_name = "ID")]
        brand: BrandId,
    },
    /// Revokes an API key. A running server refuses it within two seconds.
    Revoke {
        /// Which (`key_…`).
        key: ApiKeyId,
    },
    /// Makes a user of the identity provider an operator of this installation, from now on.
    AddAdmin {
        /// The identity provider's id of the user (`user_…`).
        user: String,
    },
    /// From now on a user is no operator any more.
    RemoveAdmin {
        /// The identity provider's id of the user (`user_…`).
        user: String,
    },
    /// Lists the operators.
    Admins,
    /// Lists the masters of the keyring, from which all other keys are derived.
    Masters,
    /// Adds a master that signs from now on. What older ones signed stays valid.
    Rotate,
    /// Revokes a master: nothing that it signed is believed any more, also links and promo codes.
    RevokeMaster {
        /// Its number, as `masters` lists it.
        id: u16,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let directory = &arguments.data_dir;
    let mut out = std::io::stdout().lock();
    match &arguments.command {
        Command::Create { brand, signed, days } => {
            let now = SystemClock.now();
            let wanted = Wanted {
                brand: *brand,
                scopes: vec![CONVERSIONS_WRITE.to_owned()],
                needs_signature: *signed,
                expires_at: days.map(|days| now + i64::from(days) * DAY_MS),
            };
            let issued = issue(directory, wanted)?;
            writeln!(out, "{}\n{}", issued.id, issued.api_key)?;
            if let Some(secret) = issued.signing_secret {
                writeln!(out, "{secret}")?;
            }
            eprintln!("the secrets are not kept and cannot be shown again");
        }
        Command::List { brand } => {
            for key in list(directory, *brand)? {
                writeln!(out, "{}", serde_json::to_string(&key)?)?;
            }
        }
        Command::Revoke { key } => {
            revoke(directory, *key)?;
            writeln!(out, "revoked {key}")?;
        }
        Command::AddAdmin { user } => {
            add_admin(directory, user)?;
            writeln!(out, "{user} operates this installation")?;
        }
        Command::RemoveAdmin { user } => {
            remove_admin(directory, user)?;
            writeln!(out, "{user} is no operator any more")?;
        }
        Command::Admins => {
            for user in admins(directory)? {
                writeln!(out, "{user}")?;
            }
        }
        Command::Masters => {
            for master in keyring_file::read(directory)?.masters() {
                let standing = match (master.revoked_at, master.retired_at) {
                    (Some(_), _) => "revoked",
                    (None, Some(_)) => "retired",
                    (None, None) => "signs",
                };
                writeln!(out, "{}\t{standing}", master.id.0)?;
            }
        }
        Command::Rotate => {
            let id = keyring_file::change(directory, |keyring| {
                let secret = Secret(random(&SystemChance));
                anyhow::Ok(keyring.rotate(secret, SystemClock.now())?)
            })?;
            noted(directory, &format!("/masters/{}", id.0));
            writeln!(out, "master {} signs from now on; keep a copy of keyring.json", id.0)?;
        }
        Command::RevokeMaster { id } => {
            keyring_file::change(directory, |keyring| {
                anyhow::Ok(keyring.revoke(KeyId(*id), SystemClock.now())?)
            })?;
            noted(directory, &format!("/masters/{id}/revoke"));
            writeln!(out, "revoked master {id}; a running server follows within two seconds")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The store of a directory in which no server runs.
fn open(directory: &Path) -> Result<(SqliteStore, Keys)> {
    let keyring = keyring_file::read(directory)?;
    let options = Options { keyring: Some(keyring.id()), ..Options::default() };
    let store = SqliteStore::open(directory, options, || SystemClock.now());
    let store = store.with_context(|| format!("opening {}", directory.display()))?;
    Ok((store, Keys::new(&keyring)))
}

const NOTHING: Option<&()> = None;

/// Writes down what was done to the keyring, through the server that runs here or without one. It is done
/// already, so another command that has the directory at this moment is waited for, and no error comes of it.
fn noted(directory: &Path, path: &str) {
    for _ in 0..100 {
        if matches!(
            control::ask::<()>(directory, Method::POST, "/noted", Some(&path)),
            Ok(Some(()))
        ) {
            return;
        }
        if let Ok((store, _)) = open(directory) {
            return by_hand(&store, path.to_owned(), SystemClock.now());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    eprintln!("it is done, and could not be written into the access log");
}

/// Writes into the access log what somebody did at the machine itself, whoever that is: nobody signs in
/// there. What is done stays done where that cannot be written.
pub(crate) fn by_hand(store: &dyn Store, path: String, now: i64) {
    let access = Access {
        at: now,
        subject: "sponsorhub keys".to_owned(),
        role: "console".to_owned(),
        session: None,
        method: "POST".to_owned(),
        path,
        status: 200,
        count: 1,
        network: [0; 8],
    };
    let note = Change::Api(ApiChange::NoteAccess(access));
    match store.record_and_wait(note) {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, "a command could not be written down"),
        Err(error) => tracing::error!(%error, "a command could not be written down"),
    }
}

fn issue(directory: &Path, wanted: Wanted) -> Result<Issued> {
    if let Some(issued) = control::ask(directory, Method::POST, "/keys", Some(&wanted))? {
        return Ok(issued);
    }
    let (store, keys) = open(directory)?;
    let now = SystemClock.now();
    let issued = api_keys::issue(&store, &keys, &SystemChance, wanted, now)?;
    by_hand(&store, format!("/keys/{}", issued.id), now);
    Ok(issued)
}

fn list(directory: &Path, brand: BrandId) -> Result<Vec<Listed>> {
    let path = format!("/keys/of/{brand}");
    if let Some(listed) = control::ask(directory, Method::GET, &path, NOTHING)? {
        return Ok(listed);
    }
    let (store, _) = open(directory)?;
    Ok(api_keys::list(&store, brand)?)
}

fn revoke(directory: &Path, key: ApiKeyId) -> Result<()> {
    let path = format!("/keys/{key}/revoke");
    if control::ask::<()>(directory, Method::POST, &path, NOTHING)?.is_some() {
        return Ok(());
    }
    let (store, _) = open(directory)?;
    let now = SystemClock.now();
    api_keys::revoke(&store, key, now)?;
    by_hand(&store, format!("/keys/{key}/revoke"), now);
    Ok(())
}

/// Has the server that runs here make a user an operator; whether one runs.
pub(crate) fn tell_of_admin(directory: &Path, user: &str) -> Result<bool> {
    let operator = Operator { user: user.to_owned() };
    Ok(control::ask::<()>(directory, Method::POST, "/admins", Some(&operator))?.is_some())
}

fn add_admin(directory: &Path, user: &str) -> Result<()> {
    if tell_of_admin(directory, user)? {
        return Ok(());
    }
    let (store, _) = open(directory)?;
    let now = SystemClock.now();
    operators::add(&store, user, now)?;
    by_hand(&store, format!("/admins/{user}"), now);
    Ok(())
}

fn remove_admin(directory: &Path, user: &str) -> Result<()> {
    let operator = Operator { user: user.to_owned() };
    if control::ask::<()>(directory, Method::DELETE, "/admins", Some(&operator))?.is_some() {
        return Ok(());
    }
    let (store, _) = open(directory)?;
    let now = SystemClock.now();
    operators::remove(&store, user, now)?;
    by_hand(&store, format!("/admins/{user}/remove"), now);
    Ok(())
}

fn admins(directory: &Path) -> Result<Vec<String>> {
    if let Some(listed) = control::ask(directory, Method::GET, "/admins", NOTHING)? {
        return Ok(listed);
    }
    let (store, _) = open(directory)?;
    Ok(operators::list(&store)?)
}
