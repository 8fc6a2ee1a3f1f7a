//! Everything that a module in Rust can do, in little. The tests build it in both forms.

extern crate modrack_sdk as modrack;

use std::collections::BTreeMap;

use modrack::{Params, Result, Row, Value, ValueRef, bail};

/// Everything that a module can do, in little.
pub struct Everything {
    tax: f64,
    calls: u32,
    name: String,
}

/// What it is given.
#[derive(Params)]
pub struct Settings {
    /// The rate.
    #[param(default = 0.2, min = 0.0, max = 1.0)]
    tax: f64,
    /// The name.
    #[param(default = "any", one_of = ["any", "one"])]
    name: String,
    /// None, because a third one panics.
    #[param(default = 1 + 1)]
    panics: u8,
}

/// A place and how long one is there.
#[derive(modrack::Value)]
pub struct Place {
    city: String,
    #[value(default)]
    days: u8,
}

/// A shape of every kind of case.
#[derive(modrack::Value)]
pub enum Shape {
    /// No shape.
    Nothing,
    /// A round one.
    RoundOne(f64),
    /// A flat one.
    Flat {
        /// How wide.
        width: u8,
    },
}

/// What all of it is for.
#[modrack::module(name = "everything", contract = "transform@1", formats = ["a", "b"])]
impl Everything {
    /// Panics when it is told to.
    pub fn create(settings: Settings) -> Result<Self> {
        if settings.panics > 2 {
            panic!("no more than {}", 2);
        }
        Ok(Self { tax: settings.tax, calls: 0, name: settings.name })
    }

    /// Adds `total`.
    pub fn transform(&self, mut row: Row) -> Result<Option<Row>> {
        let quantity: f64 = row.read("quantity")?;
        if quantity == 0.0 {
            return Ok(None);
        }
        row.set("total", row.read::<f64>("price")? * quantity * (1.0 + self.tax));
        Ok(Some(row))
    }

    /// Adds two numbers.
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    /// Gives what no value can hold, of a number that is narrow.
    pub fn narrow(&self, number: u8) -> u64 {
        u64::MAX - u64::from(number)
    }

    /// Writes it large.
    pub fn shout(text: &str, mark: Option<String>) -> String {
        format!("{}{}", text.to_uppercase(), mark.unwrap_or_default())
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The longest of the names, and nothing of none.
    pub fn longest(names: &[String]) -> Option<&str> {
        names.iter().map(String::as_str).max_by_key(|name| name.len())
    }

    /// The first of the bytes, where it lies.
    pub fn first<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..1]
    }

    /// Counts its calls.
    pub fn count(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }

    /// Adds what is in a list, and in a map.
    pub fn sum(&self, numbers: &[f64], by: BTreeMap<String, i64>) -> (f64, i64) {
        (numbers.iter().sum(), by.values().sum())
    }

    /// Stays a day longer.
    pub fn visit(&self, mut place: Place) -> Place {
        place.days += 1;
        place
    }

    /// Gives the next kind of shape.
    pub fn shape(&self, shape: Shape) -> Shape {
        match shape {
            Shape::Nothing => Shape::RoundOne(1.0),
            Shape::RoundOne(_) => Shape::Flat { width: 2 },
            Shape::Flat { .. } => Shape::Nothing,
        }
    }

    /// Counts what a map has, without reading it.
    pub fn keys(&self, row: ValueRef<'_>) -> i64 {
        match row.shape() {
            modrack::Shape::Map(fields) => fields.len() as i64,
            _ => -1,
        }
    }

    /// However many there are.
    pub fn all(&self, args: Vec<Value>) -> i64 {
        args.len() as i64
    }

    /// Fails with an error of another library.
    pub fn parse(&self, text: String) -> Result<i64> {
        Ok(text.parse::<i64>()?)
    }

    /// Fails.
    pub fn refuse(&self) -> Result<()> {
        bail!("It is refused")
    }

    /// Panics.
    pub fn panics(&self) {
        panic!("at {}", 3)
    }

    /// Asks for a parameter.
    pub fn setting(&self) -> Result<Option<i64>> {
        modrack::log::info!("asked");
        modrack::config("limit")
    }

    /// Asks another slot.
    pub fn ask(&self) -> Result<f64> {
        modrack::slot("rates").call("rate", modrack::args!["EUR", 2])
    }

    /// How often it was called.
    pub fn export_state(&self) -> u32 {
        self.calls
    }

    /// Goes on counting.
    pub fn import_state(&mut self, state: Value, from_version: Option<String>) -> Result<()> {
        if from_version.is_none() {
            bail!("It comes from nowhere");
        }
        self.calls = state.to()?;
        Ok(())
    }

    /// A last row.
    pub fn finish(&mut self) -> Vec<Row> {
        vec![Row::from_iter([("calls", self.calls)])]
    }

    /// Says that it ends.
    pub fn shutdown(&self) {
        modrack::log::warn!("shut down after {}", self.calls);
    }

    #[expect(dead_code, reason = "it is to be seen that it is no function of the module")]
    fn private(&self) {}
}
