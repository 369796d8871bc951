//! Jobs that an operator pauses, resumes and runs at once.

use sponsorhub_app::inbox;
use sponsorhub_app::ports::payment::ProviderEvent;
use sponsorhub_app::workers::Job;
use sponsorhub_core::disbursement::DisbursementState;
use sponsorhub_core::ledger::folded::Campaign;
use sponsorhub_core::money::Minor;
use sponsorhub_store::registry::Endpoint;

use crate::provider::Goes;
use crate::{BASE, HOUR, Scene, now_or_never};

const OPERATOR: &str = "user_olga";

#[test]
fn a_paused_job_does_nothing_also_after_a_restart_and_what_it_is_for_waits() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.workers.pause_job(Job::Disburse, OPERATOR, scene.now()).expect("paused");
    scene.tick();
    assert_eq!(scene.moved(), Vec::<Minor>::new());
    let (provider, now) = (scene.provider.clone(), scene.now());
    drop(scene);
    let scene = Scene::again(directory.path(), &provider, now);
    for _ in 0..3 {
        scene.pass(HOUR);
        scene.tick();
    }
    assert_eq!(scene.moved(), Vec::<Minor>::new(), "a restart resumes nothing");
    // Paused twice is paused, since the first time and by whom it was.
    scene.workers.pause_job(Job::Disburse, "user_eve", scene.now()).expect("paused");
    let paused = scene.desk.registry(|registry| registry.paused_jobs()).expect("reads");
    let known: Vec<_> = paused.iter().map(|one| (one.job.as_str(), one.subject.as_str())).collect();
    assert_eq!((known, paused[0].since), (vec![("disburse", OPERATOR)], now));
    scene.workers.resume_job(Job::Disburse).expect("resumed");
    for _ in 0..3 {
        scene.pass(2_000);
        scene.tick();
    }
    assert_eq!(scene.moved(), [BASE]);
    assert_eq!(scene.payout().map(|(state, _)| state), Some(DisbursementState::Paid));
}

/// Each job is paused by its own name: with it, the figure that only it moves stands still.
#[test]
fn every_job_can_be_paused_by_its_name() {
    for job in Job::ALL {
        assert_eq!(Job::from_name(job.name()), Some(job));
        let directory = tempfile::tempdir().expect("a directory");
        let scene = Scene::earned(directory.path());
        scene.workers.pause_job(job, OPERATOR, scene.now()).expect("paused");
        scene.tick();
        let jobs = scene.workers.standing().jobs;
        // What waits for it is known all the same.
        let has_run = |job: Job| jobs.get(job.name()).is_some_and(|it| it.last_run_at > 0);
        assert!(!has_run(job), "{job:?} ran");
        let others = Job::ALL.iter().filter(|other| **other != job);
        for other in others {
            assert!(has_run(*other), "{other:?} did not run beside {job:?}");
        }
        scene.workers.resume_job(job).expect("resumed");
        scene.pass(HOUR);
        scene.tick();
        assert!(scene.workers.standing().jobs.contains_key(job.name()), "{job:?} goes on");
    }
    assert_eq!(Job::from_name("erasure"), None, "people were promised that");
}

#[test]
fn what_waits_after_a_failure_is_tried_at_once_when_its_job_is_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::earned(directory.path());
    scene.provider.with(|world| world.script.extend([Goes::Refused]));
    scene.tick();
    scene.tick();
    assert_eq!(scene.payout(), Some((DisbursementState::Failed, 1)), "it waits");
    scene.workers.run_now(Job::Disburse);
    scene.tick();
    assert_eq!(scene.payout(), Some((DisbursementState::Paid, 2)));
    assert_eq!(scene.moved(), [BASE]);
}

#[test]
fn an_event_that_waits_is_dealt_with_when_the_inbox_is_run_or_it_is_hurried() {
    let directory = tempfile::tempdir().expect("a directory");
    let scene = Scene::open(directory.path());
    scene.create();
    let opened = scene.deposit("first");
    for (number, is_run) in [(1, true), (2, false)] {
        let event = ProviderEvent {
            id: format!("evt_{number}"),
            kind: "checkout.session.completed".to_owned(),
            created_at: scene.now(),
            is_live: false,
            recipient: None,
            object: Some("cs_nobody".to_owned()),
            payment: None,
        };
        inbox::receive(&scene.desk, Endpoint::Account, &event, scene.now()).expect("kept");
        // Nobody expects it, so it is tried again later.
        scene.tick();
        scene.tick();
        let find = || {
            let found = scene.desk.registry(|registry| registry.event(&event.id));
            found.expect("reads").expect("kept")
        };
        let (known, stands) = find();
        assert_eq!((known.tries, stands.done_at), (1, None));
        if is_run {
            scene.workers.run_now(Job::Inbox);
        } else {
            let replayed =
                inbox::replay(&scene.desk, &*scene.provider, (&known, &stands), scene.now());
            assert_eq!(now_or_never(replayed).expect("hurried"), None);
        }
        scene.tick();
        assert_eq!(find().0.tries, 2, "run: {is_run}");
    }
    // One that was dealt with is looked at again, and stays written as it was.
    scene.pay(Scene::paid(&opened));
    let event = ProviderEvent {
        id: "evt_3".to_owned(),
        kind: "checkout.session.completed".to_owned(),
        created_at: scene.now(),
        is_live: false,
        recipient: None,
        object: Some(opened.checkout.session.clone()),
        payment: None,
    };
    inbox::receive(&scene.desk, Endpoint::Account, &event, scene.now()).expect("kept");
    scene.tick();
    let find = || scene.desk.registry(|registry| registry.event("evt_3"));
    let (known, stands) = find().expect("reads").expect("kept");
    assert_eq!(stands.outcome.as_deref(), Some("booked on deposit 2"));
    let entries = scene.look(Campaign::head);
    let again = inbox::replay(&scene.desk, &*scene.provider, (&known, &stands), scene.now());
    let again = now_or_never(again).expect("read again");
    assert_eq!(again.as_deref(), Some("known already"));
    assert_eq!(scene.look(Campaign::head), entries, "nothing is booked twice");
    assert_eq!(find().expect("reads"), Some((known, stands)));
}
