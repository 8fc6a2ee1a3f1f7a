//! The module that the suite of the three languages calls, by the kit for authors in Rust: `lab.py`, `lab.c` and
//! `lab.wat` do the same.

use std::collections::BTreeMap;

use modrack::{Error, Result, Value};

/// A function for everything that must not depend on a module's language.
pub struct Lab {
    counted: i64,
}

/// A record of two fields.
#[derive(modrack::Value)]
pub struct Point {
    x: i64,
    y: i64,
}

/// A function for everything that must not depend on a module's language.
#[modrack::module(name = "lab")]
impl Lab {
    pub fn create(#[param(default = 0)] start: i64) -> Self {
        Self { counted: start }
    }

    /// Adds two whole numbers.
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    /// Gives back any value.
    pub fn same(&self, x: Value) -> Value {
        x
    }

    /// Gives back what is true or false.
    pub fn same_bool(&self, x: bool) -> bool {
        x
    }

    /// Gives back a whole number.
    pub fn same_int(&self, x: i64) -> i64 {
        x
    }

    /// Gives back a number.
    pub fn same_float(&self, x: f64) -> f64 {
        x
    }

    /// Gives back text.
    pub fn same_text(&self, x: String) -> String {
        x
    }

    /// Gives back bytes.
    pub fn same_bytes(&self, x: Vec<u8>) -> Vec<u8> {
        x
    }

    /// Gives back whole numbers.
    pub fn same_list(&self, x: Vec<i64>) -> Vec<i64> {
        x
    }

    /// Gives back text, or nothing.
    pub fn same_option(&self, x: Option<String>) -> Option<String> {
        x
    }

    /// Gives back a whole number and text.
    pub fn same_pair(&self, x: (i64, String)) -> (i64, String) {
        x
    }

    /// Gives back whole numbers by name.
    pub fn same_map(&self, x: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        x
    }

    /// Gives back a number of eight bits.
    pub fn same_small(&self, x: u8) -> u8 {
        x
    }

    /// The sum of the two fields of a record.
    pub fn total_of(&self, point: Point) -> i64 {
        point.x + point.y
    }

    /// Counts its calls, from `start` on.
    pub fn count(&mut self) -> i64 {
        self.counted += 1;
        self.counted
    }

    /// Fails with a class, a message and a cause.
    pub fn fail(&self) -> Result<Value> {
        Err(Error::new("the train has gone").class("TooLate").cause(Some("KeyError"), "timetable"))
    }

    /// Breaks down, as nobody meant it to.
    pub fn crash(&self) -> i64 {
        broken(Vec::new())
    }

    /// Takes longer than any limit: a library until it is told that its time is up, because nobody can stop it.
    pub fn linger(&self) -> i64 {
        loop {
            if modrack::time_left().is_some_and(|left| left.is_zero()) {
                return 0;
            }
        }
    }

    /// Gives so many bytes.
    pub fn swell(&self, many: i64) -> Result<Vec<u8>> {
        Ok(vec![0; many.try_into()?])
    }

    /// Calls a function of the slot that fills `other`.
    pub fn ask(&self, function: String, args: Vec<Value>) -> Result<Value> {
        modrack::slot("other").call(&function, args)
    }

    /// Goes from slot to slot, so many times.
    pub fn down(&self, left: i64) -> Result<Value> {
        if left == 0 {
            return Ok(Value::from(0));
        }
        modrack::slot("other").call("down", modrack::args![left - 1])
    }
}

#[inline(never)]
fn broken(numbers: Vec<i64>) -> i64 {
    numbers[0]
}
