//! The progress bar of a run: on a terminal only, by bytes where the source's size is known.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use modrack_core::PipelineName;
use modrack_flow::{Progress, Snapshot, Summary};

use crate::style::{counted, grouped};

/// The bar of one pipeline, and the summary that its end brings.
pub(crate) struct Bar {
    bar: ProgressBar,
    shown: Mutex<Option<Instant>>,
    summary: Mutex<Option<Summary>>,
}

/// The figures are put into words no more often than this.
const BETWEEN: Duration = Duration::from_millis(80);

impl Bar {
    /// A bar for this pipeline; one that is not shown only keeps the summary.
    pub(crate) fn new(pipeline: &PipelineName, is_shown: bool) -> Self {
        let bar = if is_shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if is_shown {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style("{spinner:.cyan} {prefix:.bold}  {msg}  {elapsed}"));
            bar.set_prefix(pipeline.to_string());
            bar.set_message("starting");
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, shown: Mutex::new(None), summary: Mutex::new(None) }
    }

    /// Takes the bar away and gives the summary, where there is one.
    pub(crate) fn end(self) -> Option<Summary> {
        self.bar.finish_and_clear();
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bar {
    fn update(&self, now: &Snapshot) {
        if self.bar.is_hidden() {
            return;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.is_some_and(|shown| shown.elapsed() < BETWEEN) {
            return;
        }
        *shown = Some(Instant::now());
        drop(shown);
        if let Some(total) = now.bytes_total.filter(|&total| total > 0) {
            if self.bar.length() != Some(total) {
                self.bar.set_length(total);
                self.bar.set_style(style(
                    "{spinner:.cyan} {prefix:.bold}  {bar:24.cyan/dim} {percent:>3}%  {msg}  {elapsed}, {eta} to go",
                ));
            }
            self.bar.set_position(now.bytes_read.min(total));
        }
        let seconds = self.bar.elapsed().as_secs_f64();
        let mut message = counted(now.rows_in, "row");
        if seconds > 0.5 {
            message.push_str(&format!(", {} rows/s", grouped((now.rows_in as f64 / seconds) as u64)));
        }
        if now.skipped > 0 {
            message.push_str(&format!(", {} skipped", grouped(now.skipped)));
        }
        if now.quarantined > 0 {
            message.push_str(&format!(", {} quarantined", grouped(now.quarantined)));
        }
        self.bar.set_message(message);
    }

    fn ended(&self, summary: &Summary) {
        *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary.clone());
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are this page's own; what indicatif would not take is shown plainly.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("━━ ")
}
