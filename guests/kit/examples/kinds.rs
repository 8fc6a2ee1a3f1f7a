//! Every type that a function of a module may take and give: each function gives back what it is given.

use std::collections::{BTreeMap, HashMap};

use modrack::{IndexMap, Row, Value, ValueRef};

/// A place, which is a mapping to others.
#[derive(modrack::Value)]
pub struct Place {
    city: String,
    #[value(rename = "zip-code")]
    zip: Option<u32>,
    #[value(default = 1)]
    days: u8,
}

/// A word that is no other text.
#[derive(modrack::Value)]
pub struct Word(String);

/// One of several.
#[derive(modrack::Value)]
pub enum Fare {
    /// Nothing to pay.
    Free,
    /// The same for all.
    FlatRate(f64),
    /// By how far it is.
    Distance {
        /// What a kilometre costs.
        rate: f64,
        /// From where on.
        #[value(default)]
        from: u32,
    },
}

/// Gives back what it is given.
#[modrack::module]
impl Place {
    pub fn same_bool(it: bool) -> bool {
        it
    }

    pub fn same_i8(it: i8) -> i8 {
        it
    }

    pub fn same_i16(it: i16) -> i16 {
        it
    }

    pub fn same_i32(it: i32) -> i32 {
        it
    }

    pub fn same_i64(it: i64) -> i64 {
        it
    }

    pub fn same_isize(it: isize) -> isize {
        it
    }

    pub fn same_u8(it: u8) -> u8 {
        it
    }

    pub fn same_u16(it: u16) -> u16 {
        it
    }

    pub fn same_u32(it: u32) -> u32 {
        it
    }

    pub fn same_u64(it: u64) -> u64 {
        it
    }

    pub fn same_usize(it: usize) -> usize {
        it
    }

    pub fn same_f32(it: f32) -> f32 {
        it
    }

    pub fn same_f64(it: f64) -> f64 {
        it
    }

    pub fn same_char(it: char) -> char {
        it
    }

    pub fn same_string(it: String) -> String {
        it
    }

    pub fn same_str(it: &str) -> &str {
        it
    }

    pub fn same_bytes(it: Vec<u8>) -> Vec<u8> {
        it
    }

    pub fn same_slice(it: &[u8]) -> &[u8] {
        it
    }

    pub fn same_list(it: Vec<i64>) -> Vec<i64> {
        it
    }

    pub fn same_texts(it: &[String]) -> Vec<String> {
        it.to_vec()
    }

    pub fn same_nested(it: Vec<Vec<Option<f64>>>) -> Vec<Vec<Option<f64>>> {
        it
    }

    pub fn same_option(it: Option<i64>) -> Option<i64> {
        it
    }

    pub fn same_box(it: Box<i64>) -> Box<i64> {
        it
    }

    pub fn same_boxed_row(it: Box<Row>) -> Box<Row> {
        it
    }

    pub fn same_pair(it: (i64, String)) -> (i64, String) {
        it
    }

    pub fn same_six(it: (bool, u8, i64, f64, char, String)) -> (bool, u8, i64, f64, char, String) {
        it
    }

    pub fn same_btree_map(it: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        it
    }

    pub fn same_hash_map(it: HashMap<String, Vec<f64>>) -> HashMap<String, Vec<f64>> {
        it
    }

    pub fn same_index_map(it: IndexMap<String, bool>) -> IndexMap<String, bool> {
        it
    }

    pub fn same_row(it: Row) -> Row {
        it
    }

    pub fn same_rows(it: Vec<Row>) -> Vec<Row> {
        it
    }

    pub fn same_value(it: Value) -> Value {
        it
    }

    pub fn same_borrowed(it: &Value) -> Value {
        it.clone()
    }

    pub fn same_lent(it: ValueRef<'_>) -> modrack::Result<Value> {
        Ok(it.to()?)
    }

    pub fn same_place(it: Place) -> Place {
        it
    }

    pub fn same_places(it: &[Place]) -> usize {
        it.len()
    }

    pub fn same_word(it: Word) -> Word {
        it
    }

    pub fn same_fare(it: Fare) -> Fare {
        it
    }

    pub fn same_fares(it: Vec<Fare>) -> Vec<Fare> {
        it
    }

    pub fn nothing() {}

    pub fn fails_with_text(it: i64) -> Result<i64, String> {
        if it > 0 { Ok(it) } else { Err(format!("{it} is too little")) }
    }

    pub fn fails_with_any(it: &str) -> Result<i64, Box<dyn std::error::Error>> {
        if it.is_empty() {
            return Err("There is nothing".into());
        }
        Ok(it.parse::<i64>()?)
    }

    pub fn same_rest(first: i64, args: Vec<Value>) -> Vec<Value> {
        let mut all = vec![first.into()];
        all.extend(args);
        all
    }
}
