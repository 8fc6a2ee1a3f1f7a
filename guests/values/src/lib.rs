//! A function for each kind of value that a component can take and give. Nothing here fails by accident.

mod counters;
mod shapes;

wit_bindgen::generate!({
    path: ["../../contracts/types.wit", "values.wit"],
    world: "guests:values/values",
    generate_all,
});

struct Values;

export!(Values);

impl Guest for Values {
    fn add(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    fn not(x: bool) -> bool {
        !x
    }

    fn same_u8(x: u8) -> u8 {
        x
    }

    fn same_s8(x: i8) -> i8 {
        x
    }

    fn same_u16(x: u16) -> u16 {
        x
    }

    fn same_s16(x: i16) -> i16 {
        x
    }

    fn same_u32(x: u32) -> u32 {
        x
    }

    fn same_s32(x: i32) -> i32 {
        x
    }

    fn same_u64(x: u64) -> u64 {
        x
    }

    fn same_s64(x: i64) -> i64 {
        x
    }

    fn same_f32(x: f32) -> f32 {
        x
    }

    fn same_f64(x: f64) -> f64 {
        x
    }

    fn same_char(x: char) -> char {
        x
    }

    fn same_text(x: String) -> String {
        x
    }

    fn same_bytes(x: Vec<u8>) -> Vec<u8> {
        x
    }

    fn same(x: Value) -> Value {
        x
    }

    fn same_table(x: Table) -> Table {
        x
    }

    fn table_size(x: Table) -> u64 {
        x.ipc.len() as u64
    }

    fn nothing() {}

    fn reversed(x: String) -> String {
        x.chars().rev().collect()
    }

    fn bumped(mut x: Vec<u8>) -> Vec<u8> {
        for byte in &mut x {
            *byte = byte.wrapping_add(1);
        }
        x
    }
}
