//! What the tests here share: a state in a folder, modules in another, and numbers that look random.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modrack_core::{ContentHash, Description, Origin, SlotName};
use modrack_state::{Action, Change, Filling, Opened, RackState, Settings, SlotChange, Standing, hash_of};
use tempfile::TempDir;

/// Folders for a state and for modules.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn opened(&self, settings: Settings) -> Opened {
        RackState::open(&self.state_folder(), settings).unwrap()
    }

    /// The state, with no complaint.
    pub(crate) fn state(&self) -> RackState {
        let opened = self.opened(settings());
        assert!(opened.warning.is_none(), "{:?}", opened.warning);
        opened.state
    }

    /// Writes a module of one file and has it kept.
    pub(crate) fn keep(&self, state: &RackState, name: &str, bytes: &[u8]) -> Filling {
        keep(state, &self.folder.path().join("modules"), name, bytes)
    }
}

/// Every time that is asked for is a second later.
pub(crate) fn settings() -> Settings {
    fn clock() -> SystemTime {
        static SECONDS: AtomicU64 = AtomicU64::new(1_000_000_000);
        UNIX_EPOCH + Duration::from_secs(SECONDS.fetch_add(1, Ordering::Relaxed))
    }
    Settings { clock, ..Settings::default() }
}

/// Writes a module of one file and has it kept.
pub(crate) fn keep(state: &RackState, modules: &Path, name: &str, bytes: &[u8]) -> Filling {
    fs::create_dir_all(modules).unwrap();
    let path = modules.join(name);
    fs::write(&path, bytes).unwrap();
    let (origin, description) = described(&[path], bytes);
    let hash = description.hash.clone();
    let kept = state.keep(&origin, &description, |_| Ok(hash)).unwrap();
    assert!(kept.is_some());
    filling(name, bytes)
}

/// What a backend says of a module of these files, whose hash is that of these bytes.
pub(crate) fn described(files: &[PathBuf], bytes: &[u8]) -> (Origin, Description) {
    let origin = Origin::File { path: files[0].clone(), attr: None };
    let description = Description {
        name: "m".into(),
        hash: Some(hash_of(bytes)),
        files: files.to_vec(),
        ..Description::default()
    };
    (origin, description)
}

pub(crate) fn filling(name: &str, bytes: &[u8]) -> Filling {
    let use_text = format!("./{name}");
    Filling { module: name.into(), hash: Some(hash_of(bytes)), use_text, plan: "{}".into() }
}

pub(crate) fn slot(name: &str) -> SlotName {
    SlotName::parse(name).unwrap()
}

/// A swap of these slots.
pub(crate) fn swap(slots: &[(&str, Option<&Filling>, &Filling)]) -> Change {
    let slots = slots.iter().map(|(name, from, to)| SlotChange {
        slot: slot(name),
        from: from.and_then(|from| from.hash.clone()),
        to: Some((*to).clone()),
        standing: Standing::Unchanged,
    });
    let (who, why) = ("anna".into(), "faster".into());
    Change { action: Action::Swap, who, why, config: None, slots: slots.collect() }
}

/// A hash that stands for nothing.
pub(crate) fn some_hash(text: &str) -> ContentHash {
    hash_of(text.as_bytes())
}

/// Numbers that look random, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// With the seed of `MODRACK_SEED`, or the one of every run.
    pub(crate) fn seeded() -> (Self, u64) {
        let seed = std::env::var("MODRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
        (Self(seed), seed)
    }

    /// One below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
