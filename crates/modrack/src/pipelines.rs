//! Pipelines of a rack, run by name.
//!
//! How rows are read, staged and written is `modrack::flow`'s; here a name is looked up and the run begun.

use modrack_core::plan::PipelinePlan;
use modrack_core::{Code, Error, PipelineName, Result, nearest};
use modrack_flow::{Progress, RunOptions, Snapshot, Summary};

use crate::rack::Rack;

/// Nobody watches the run.
struct Unwatched;

impl Progress for Unwatched {
    fn update(&self, _now: &Snapshot) {}
}

impl Rack {
    /// Runs a pipeline to its end.
    ///
    /// # Errors
    /// [`Code::UnknownPipeline`], and what the run failed with; nothing half-written is left then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let root = folder.path();
    /// std::fs::write(root.join("in.csv"), "item,price\npear,2\nplum,3\n")?;
    /// std::fs::write(
    ///     root.join("rack.yaml"),
    ///     "rack: 1\npipelines: { copy: { source: { csv: in.csv }, sink: { json: out.json } } }",
    /// )?;
    /// let summary = modrack::Rack::open(root)?.run("copy", modrack::flow::RunOptions::default())?;
    /// assert_eq!((summary.rows_in, summary.rows_out), (2, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run(&self, pipeline: &str, options: RunOptions) -> Result<Summary> {
        modrack_flow::run(self.runtime(), &self.pipeline(pipeline)?, options, &Unwatched)
    }

    fn pipeline(&self, named: &str) -> Result<PipelinePlan> {
        let plan = self.runtime().plan();
        let pipelines = &plan.pipelines;
        let found = PipelineName::parse(named).ok().and_then(|name| pipelines.get(&name)).cloned();
        found.ok_or_else(|| {
            let error = Error::new(Code::UnknownPipeline, format!("The rack has no pipeline `{named}`"));
            match nearest(named, pipelines.keys().map(PipelineName::as_str)) {
                Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
                None => error,
            }
        })
    }
}
