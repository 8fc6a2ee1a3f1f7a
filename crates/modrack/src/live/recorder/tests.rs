//! What is spared while a module is being loaded, however many attempts there are beside it.

use std::path::Path;

use modrack_core::plan::{Limits, RackPlan, SlotPlan};
use modrack_core::{Backend, BackendName, Code, Start, Started, Use};
use modrack_runtime::Step;
use modrack_state::Settings;

use super::*;

/// A backend whose modules are any files, and start nothing.
struct Files;

impl Backend for Files {
    fn name(&self) -> BackendName {
        BackendName::Python
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        let Origin::File { path, .. } = origin else { return Err(no()) };
        let hash = modrack_state::hash_of(&std::fs::read(path).map_err(|_| no())?);
        Ok(Description { hash: Some(hash), files: vec![path.clone()], ..Description::default() })
    }

    fn start(&self, _: Start<'_>) -> Result<Started> {
        Err(no())
    }
}

fn no() -> Error {
    Error::new(Code::ConstructFailed, "No").hint("Mend it")
}

/// An attempt to fill the slot `a`.
fn attempt(seat: u64) -> Coming {
    let use_text = "./a.py";
    let fills = Use::parse(use_text).expect("it is a file");
    Coming {
        slot: SlotName::parse("a").expect("a name"),
        seat,
        plan: Arc::new(SlotPlan::undeclared(use_text, fills, Limits::default())),
        module: None,
        hash: None,
        was: None,
        origin: None,
        pinned: false,
    }
}

/// Changes of the same slot that came to nothing, until what is kept is cleaned up.
fn others(recorder: &Recorder) {
    for seat in 100..100 + u64::from(CHANGES) {
        let coming = attempt(seat);
        recorder.tell(&Event::SwapFailed {
            slots: vec![coming.slot.clone()],
            slot: coming.slot.clone(),
            coming: vec![coming],
            step: Step::Fetch,
            why: no(),
            asked: Asked::default(),
        });
    }
    recorder.tell(&Event::Settled { slots: Vec::new() });
}

fn exists(kept: Option<&Origin>) -> bool {
    matches!(kept, Some(Origin::File { path, .. }) if Path::exists(path))
}

#[test]
fn what_is_being_loaded_is_spared_whatever_fails_beside_it() {
    let folder = tempfile::tempdir().expect("there is room");
    let rack =
        Rack::open(RackPlan::empty(folder.path().to_owned()), vec![Arc::new(Files)]).expect("it opens");
    let state = RackState::memory(Settings::default()).expect("there is room");
    let declared = Declared { text: None, set: Vec::new(), plan: rack.plan(), hash: None };
    let recorder = Recorder::new(rack.downgrade(), state, declared);
    let path = folder.path().join("a.py");
    std::fs::write(&path, "x = 1\n").expect("it can be written");
    let origin = Origin::File { path, attr: None };
    let about = Files.describe(&origin).expect("it is there");
    let kept = recorder.keep(1, &origin, &about).expect("there is room");
    others(&recorder);
    assert!(exists(kept.as_ref()), "{kept:?}");
    recorder.tell(&Event::LoadFailed { coming: attempt(1), why: no() });
    others(&recorder);
    assert!(!exists(kept.as_ref()), "{kept:?}");
}
