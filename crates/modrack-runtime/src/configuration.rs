//! What a rack is configured to be: its plan, and what is read of what the plan names.
//!
//! It never changes; a rack that is configured anew has another one, published with the table of its slots. A seat keeps the
//! one that it was made under, so that nothing of a load is resolved by the one and the rest by the other.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use modrack_core::Result;
use modrack_core::contract::Contracts;
use modrack_core::plan::RackPlan;

use crate::catalog::Catalog;
use crate::contracts;
use crate::rack::RackCore;

/// A rack's configuration.
#[derive(Default)]
pub(crate) struct Configuration {
    plan: Arc<RackPlan>,
    contracts: Arc<Contracts>,
    catalog: Mutex<Option<Arc<Catalog>>>,
}

impl Configuration {
    /// What `plan` says, with the contracts that it names read.
    ///
    /// # Errors
    /// A contract that cannot be read, or is wrong.
    pub(crate) fn read(root: &Path, plan: RackPlan) -> Result<Self> {
        let contracts = contracts::read(root, &plan)?;
        Ok(Self { plan: Arc::new(plan), contracts: Arc::new(contracts), catalog: Mutex::default() })
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &Arc<RackPlan> {
        &self.plan
    }

    /// The contracts that are known.
    pub(crate) fn contracts(&self) -> &Arc<Contracts> {
        &self.contracts
    }

    /// The modules that can be found, looked for at the first asking.
    ///
    /// # Errors
    /// A folder that is not there or cannot be read; the next who asks looks again, somebody may have mended it.
    pub(crate) fn catalog(&self, rack: &RackCore) -> Result<Arc<Catalog>> {
        let known = || self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(catalog) = known().clone() {
            return Ok(catalog);
        }
        // Not under the lock: it asks backends. Two that look at once find the same, and the first is kept.
        let found = Arc::new(Catalog::index(rack, &self.plan)?);
        Ok(known().get_or_insert(found).clone())
    }
}
