//! A source of rows, each of which is made when it is asked for.

use modrack::{Params, Result, Row, Rows};

/// Counts.
pub struct Numbers {
    count: i64,
}

/// How far.
#[derive(Params)]
pub struct Settings {
    /// The last number.
    #[param(default = 2)]
    count: i64,
}

#[modrack::module(contract = "source@1")]
impl Numbers {
    /// Counts as far as it is told.
    pub fn create(settings: Settings) -> Self {
        Self { count: settings.count }
    }

    /// Rows with one number each.
    pub fn read(&self) -> Rows {
        Rows::new((1..=self.count).map(|n| -> Result<Row> {
            if n > 100 {
                modrack::bail!("{n} is beyond what can be counted");
            }
            Ok(Row::from_iter([("n", n)]))
        }))
    }
}
