//! Records, variants, enums, flags, tuples, options and results.

use crate::Values;
use crate::exports::guests::values::shapes::{Access, Colour, Guest, Person, Point, Shape};

impl Guest for Values {
    fn add_points(a: Point, b: Point) -> Point {
        Point { x: a.x.wrapping_add(b.x), y: a.y.wrapping_add(b.y) }
    }

    fn older(who: Person, years: u8) -> Person {
        Person { age: who.age.map(|age| age.saturating_add(years)), ..who }
    }

    fn same_shape(given: Shape) -> Shape {
        given
    }

    fn next_colour(given: Colour) -> Colour {
        match given {
            Colour::Red => Colour::Green,
            Colour::Green => Colour::DarkBlue,
            Colour::DarkBlue => Colour::Red,
        }
    }

    fn both(a: Access, b: Access) -> Access {
        a & b
    }

    fn swap((number, text): (i32, String)) -> (String, i32) {
        (text, number)
    }

    fn half(number: i32) -> Result<i32, String> {
        if number % 2 == 0 { Ok(number / 2) } else { Err(format!("{number} is odd")) }
    }

    fn distance(to: Point) -> Result<f64, Point> {
        let Point { x, y } = to;
        if (x, y) == (0, 0) { Err(to) } else { Ok(f64::from(x).hypot(f64::from(y))) }
    }

    fn maybe_fail(fails: bool) -> Result<(), ()> {
        if fails { Err(()) } else { Ok(()) }
    }

    fn present(given: Vec<Option<i64>>) -> Vec<i64> {
        given.into_iter().flatten().collect()
    }

    fn joined(given: Vec<Vec<u16>>) -> Vec<u16> {
        given.concat()
    }

    fn nested(given: Option<Option<u32>>) -> String {
        match given {
            None => "none".to_owned(),
            Some(None) => "some(none)".to_owned(),
            Some(Some(number)) => format!("some(some({number}))"),
        }
    }
}
