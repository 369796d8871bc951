//! Checkpoints and receipts (INV-14), judged by `signed_note`, by `tlog_tiles` and by a program in
//! another language that shares no line with this one.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64;
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, VerifierList};
use sponsorhub_core::attribution::keys::KeyId;
use sponsorhub_core::ids::CampaignId;
use sponsorhub_core::merkle::checkpoint::{
    Checkpoint, CheckpointError, LogKey, LogVerifier, Origin,
};
use sponsorhub_core::merkle::receipt::{Receipt, ReceiptError};
use sponsorhub_core::merkle::{
    Frontier, Hash, HashSource, ProofError, inclusion_proof, leaf_hash, node_hash,
};
use tlog_tiles::checkpoint::Checkpoint as OtherCheckpoint;
use tlog_tiles::tlog;

use crate::fixture::{keys, proof};

const CAMPAIGN: CampaignId = CampaignId([9; 16]);

pub(crate) fn log_key() -> LogKey {
    keys().log_key(CAMPAIGN)
}

/// A small log; only the entries' bytes matter here.
pub(crate) struct Log(pub(crate) Vec<Vec<u8>>);

impl HashSource for Log {
    type Error = Infallible;
    fn hash(&mut self, height: u32, index: u64) -> Result<Hash, Infallible> {
        let Some(below) = height.checked_sub(1) else {
            let place = usize::try_from(index).expect("64 bits");
            return Ok(leaf_hash(&self.0[place]));
        };
        Ok(node_hash(self.hash(below, 2 * index)?, self.hash(below, 2 * index + 1)?))
    }
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        Self((1..=size).map(|seq| format!("{{\"seq\":{seq}}}").into_bytes()).collect())
    }

    pub(crate) fn root(&self) -> Hash {
        let mut frontier = Frontier::new();
        self.0.iter().for_each(|entry| frontier.push(leaf_hash(entry)));
        frontier.root()
    }

    fn size(&self) -> u64 {
        u64::try_from(self.0.len()).expect("64 bits")
    }

    pub(crate) fn receipt(&mut self, index: u64) -> Receipt {
        let (size, root) = (self.size(), self.root());
        let proof = inclusion_proof(self, index, size).expect("a leaf");
        Receipt { index, proof, checkpoint: log_key().sign(size, root) }
    }
}

fn entry(log: &Log, index: u64) -> &[u8] {
    &log.0[usize::try_from(index).expect("64 bits")]
}

#[test]
fn a_checkpoint_is_read_and_verified_by_two_other_implementations() {
    let key = log_key();
    let vkey = key.verifier().to_string();
    for size in [0, 1, 2, 3, 255, 256, 1_000] {
        let root = Log::of(size).root();
        let text = key.sign(size, root);
        assert_eq!(key.verifier().verify(&text), Ok(Checkpoint { size, root }), "INV-14");
        let note = Note::from_bytes(text.as_bytes()).expect("a signed note");
        let theirs = StandardVerifier::new(&vkey).expect("a verifier key");
        let list = VerifierList::new(vec![Box::new(theirs)]);
        let (verified, unknown) = note.verify(&list).expect("verifies");
        assert_eq!((verified.len(), unknown.len()), (1, 0));
        let read = OtherCheckpoint::from_bytes(note.text()).expect("a checkpoint");
        assert_eq!((read.origin(), read.size()), (key.verifier().origin().as_str(), size));
        assert_eq!(read.hash().0, root.0);
    }
}

#[test]
fn a_receipt_proves_its_entry_to_another_implementation_and_no_other_entry_to_us() {
    let key = log_key();
    for size in 1..=40 {
        let mut log = Log::of(size);
        for index in 0..size {
            let receipt = log.receipt(index);
            let text = receipt.to_string();
            assert_eq!(text.parse(), Ok(receipt.clone()));
            let checkpoint = receipt.verify(entry(&log, index), key.verifier());
            assert_eq!(checkpoint.map(|checkpoint| checkpoint.size), Ok(size), "INV-14");
            let theirs: tlog::RecordProof =
                receipt.proof.iter().map(|hash| tlog::Hash(hash.0)).collect();
            let leaf = tlog::record_hash(entry(&log, index));
            let root = tlog::Hash(log.root().0);
            tlog::check_record(&theirs, size, root, index, leaf).expect("they agree");
            let other = receipt.verify(b"{\"seq\":0}", key.verifier());
            assert_eq!(other, Err(ReceiptError::Proof(ProofError::Root)));
        }
    }
}

#[test]
fn every_changed_byte_of_a_receipt_is_noticed() {
    let mut log = Log::of(11);
    let (receipt, key) = (log.receipt(6), log_key());
    let text = receipt.to_string();
    for at in 0..text.len() {
        for byte in [text.as_bytes()[at] ^ 1, b'\n', b'0', b'A'] {
            let mut changed = text.clone().into_bytes();
            changed[at] = byte;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let verified = changed
                .parse::<Receipt>()
                .and_then(|receipt| receipt.verify(entry(&log, 6), key.verifier()));
            assert!(verified.is_err() || changed == text, "byte {at} as {byte}");
        }
        let cut = text[..].get(..at).unwrap_or_default();
        let verified = cut
            .parse::<Receipt>()
            .and_then(|receipt| receipt.verify(entry(&log, 6), key.verifier()));
        assert!(verified.is_err(), "cut at {at}");
    }
}

#[test]
fn logs_of_other_campaigns_and_masters_have_other_keys() {
    let (key, root) = (log_key(), Log::of(3).root());
    let text = key.sign(3, root);
    let other = keys().log_key(CampaignId([8; 16]));
    assert_eq!(other.verifier().verify(&text), Err(CheckpointError::Unsigned));
    assert_ne!(
        other.verifier().to_string().split_once('+'),
        key.verifier().to_string().split_once('+')
    );
    let known = keys().log_key_of(KeyId(1), CAMPAIGN).expect("known");
    assert_eq!(known.verifier(), key.verifier());
    assert!(keys().log_key_of(KeyId(2), CAMPAIGN).is_none());
    // A key that is not this log's may not use its name either.
    let named: Origin = key.verifier().origin().clone();
    let thief = LogKey::new(named, &[1; 32]);
    assert_eq!(key.verifier().verify(&thief.sign(3, root)), Err(CheckpointError::Unsigned));
    let shown = format!("{key:?}");
    assert!(shown.starts_with("LogKey(sponsorhub/test/"), "{shown}");
}

#[test]
fn a_note_is_judged_by_the_signature_of_the_known_key() {
    let (key, root) = (log_key(), Log::of(3).root());
    let text = key.sign(3, root);
    let verify = |text: &str| key.verifier().verify(text);
    let (note, line) = text.split_once("\n\n").expect("a note");
    // Witnesses may sign too, before and after.
    let witness = format!("— witness.example/w {}\n", BASE64.encode(&[7; 76]));
    let both = format!("{note}\n\n{witness}{line}{witness}");
    assert_eq!(verify(&both), Ok(Checkpoint { size: 3, root }));
    assert_eq!(verify(&format!("{note}\n\n{witness}")), Err(CheckpointError::Unsigned));
    let many = format!("{note}\n\n{}{line}", witness.repeat(16));
    assert!(verify(&many).is_ok(), "at least 16 signatures are read");
    assert_eq!(verify(&text.replace("\n3\n", "\n4\n")), Err(CheckpointError::Signature));
    // One false signature under the known name spoils the note, even beside a right one.
    let mut bytes = BASE64
        .decode(line.trim_end().rsplit(' ').next().expect("a line").as_bytes())
        .expect("base64");
    bytes[10] ^= 1;
    let name = key.verifier().origin();
    let spoiled = format!("{text}— {name} {}\n", BASE64.encode(&bytes));
    assert_eq!(verify(&spoiled), Err(CheckpointError::Signature));
    for wrong in
        ["", "\n\n", note, &text[..text.len() - 1], &format!("{text}\n"), &text.replace("— ", "- ")]
    {
        assert_eq!(verify(wrong), Err(CheckpointError::Note), "{wrong:?}");
    }
    assert_eq!(verify(&text.replace("\n3\n", "\n3\t\n")), Err(CheckpointError::Note));
}

#[test]
fn a_verifier_key_has_one_spelling() {
    let vkey = log_key().verifier().to_string();
    assert_eq!(vkey.parse::<LogVerifier>().as_ref(), Ok(log_key().verifier()));
    let weak = {
        // The neutral element: every signature with a fitting scalar would verify under it.
        let mut key = [0; 33];
        key[..2].copy_from_slice(&[1, 1]);
        format!("a+00000000+{}", BASE64.encode(&key))
    };
    let parts: Vec<&str> = vkey.splitn(3, '+').collect();
    let [name, id, key] = parts[..] else { panic!("three parts") };
    for wrong in [
        String::new(),
        name.to_owned(),
        format!("{name}+{id}"),
        format!("{name}x+{id}+{key}"),
        format!("{name}+{}+{key}", id.to_uppercase() + "x"),
        format!("{name}+00000000+{key}"),
        format!("{name} +{id}+{key}"),
        format!("+{id}+{key}"),
        format!("{name}+{id}+{}", key.trim_end_matches('=')),
        format!("{name}+{id}+A{}", &key[1..]),
        format!("{vkey}\n"),
        weak,
    ] {
        let refused = wrong.parse::<LogVerifier>();
        assert!(wrong == vkey || refused == Err(CheckpointError::VerifierKey), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn no_text_upsets_a_verifier(text in any::<String>(), lines in proptest::collection::vec(line(), 0..10)) {
        let key = log_key();
        for text in [text, lines.join("\n"), lines.join("\n") + "\n"] {
            prop_assert!(key.verifier().verify(&text).is_err());
            prop_assert!(text.parse::<LogVerifier>().is_err());
            let verified = text.parse::<Receipt>().and_then(|receipt| receipt.verify(b"", key.verifier()));
            prop_assert!(verified.is_err());
        }
    }
}

/// Lines from which almost receipts and almost notes are put together.
fn line() -> impl Strategy<Value = String> {
    let text = log_key().sign(1, Log::of(1).root());
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in ["c2sp.org/tlog-proof@v1", "index 0", "index 00", "extra AAAA", "", "— a AAAAAAA="]
    {
        lines.push(line.to_owned());
    }
    // Without the signature: a full set of lines in order would be right.
    lines.retain(|line| !line.starts_with("— sponsorhub"));
    proptest::sample::select(lines)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify_receipt.py")
}

/// The exit code of the example for these files; none where there is no Python.
fn judged(folder: &Path, entry: &[u8], receipt: &str, vkey: &str) -> Option<i32> {
    std::fs::write(folder.join("entry"), entry).expect("written");
    std::fs::write(folder.join("receipt"), receipt).expect("written");
    let mut command = Command::new("python3");
    command.arg(script()).arg("--vkey").arg(vkey);
    command.arg("--entry").arg(folder.join("entry"));
    command.arg("--receipt").arg(folder.join("receipt"));
    let output = command.output().ok()?;
    let code = output.status.code().expect("it ends by itself");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Traceback"), "{said}");
    Some(code)
}

#[test]
fn a_program_in_another_language_takes_the_receipt_and_refuses_every_forgery() {
    let folder = std::env::temp_dir().join(format!("sponsorhub-receipt-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let mut log = Log::of(21);
    let (receipt, vkey) = (log.receipt(20).to_string(), log_key().verifier().to_string());
    let entry = entry(&log, 20).to_vec();
    let Some(code) = judged(&folder, &entry, &receipt, &vkey) else {
        proof("NOT RUN: python3 is missing, so examples/verify_receipt.py judged nothing");
        return;
    };
    assert_eq!(code, 0, "the receipt is right");
    let middle = log.receipt(5).to_string();
    assert_eq!(judged(&folder, &log.0[5], &middle, &vkey), Some(0));
    let other_key = keys().log_key(CampaignId([8; 16])).verifier().to_string();
    let [name, key_id, public] = vkey.splitn(3, '+').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let mut public = BASE64.decode(public.as_bytes()).expect("base64");
    public[7] ^= 1;
    let wrong_key = format!("{name}+{key_id}+{}", BASE64.encode(&public));
    let same_name = log_key().verifier().origin().clone();
    let thief = LogKey::new(same_name, &[1; 32]).verifier().to_string();
    let (head, signature) = receipt.rsplit_once(' ').expect("a signature");
    let mut bytes = BASE64.decode(signature.trim_end().as_bytes()).expect("base64");
    bytes[40] ^= 1;
    let unsigned = format!("{head} {}\n", BASE64.encode(&bytes));
    let forgeries = [
        (&b"{\"seq\":22}"[..], &receipt, &vkey),
        (&entry, &receipt.replace("index 20", "index 19"), &vkey),
        (&entry, &receipt.replace("\n21\n", "\n22\n"), &vkey),
        (&entry, &unsigned, &vkey),
        (&entry, &middle, &vkey),
        (&entry, &receipt, &other_key),
        (&entry, &receipt, &wrong_key),
        (&entry, &receipt, &thief),
        (&entry, &String::new(), &vkey),
    ];
    for (entry, receipt, vkey) in forgeries {
        assert_eq!(judged(&folder, entry, receipt, vkey), Some(1), "{receipt} {vkey}");
    }
    std::fs::remove_dir_all(&folder).expect("removes its own folder");
}
