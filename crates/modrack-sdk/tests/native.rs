//! The native form, called as a host calls it: through the table that the library shows.
#![expect(unsafe_code, reason = "the host's side of the C interface")]

extern crate modrack_sdk as modrack;

#[path = "../examples/everything.rs"]
#[expect(unreachable_pub, reason = "a module's functions are public")]
mod everything;

use std::ffi::c_void;
use std::ptr;

use modrack_abi as abi;
use modrack_sdk::{Row, Value};

unsafe extern "C" {
    #[link_name = "modrack_module_v1"]
    static MODULE: abi::Module;
}

/// An instance, called from here.
struct Instance(*mut c_void);

/// What came back: the status and the value.
type Back = (i32, Value);

impl Instance {
    fn new(params: &[abi::Entry]) -> std::result::Result<Self, Back> {
        let (mut instance, mut error) = (ptr::null_mut(), abi::Output::NULL);
        // SAFETY: the module is that of this file, its arguments are there.
        let status = unsafe {
            let create = MODULE.create.expect("create");
            create(&raw const SHOWN.0, &abi::Value::map(params), &mut instance, &mut error)
        };
        if status == abi::STATUS_OK { Ok(Self(instance)) } else { Err((status, taken(&mut error))) }
    }

    fn call(&self, name: &str, args: &[abi::Value]) -> Back {
        let mut output = abi::Output::NULL;
        // SAFETY: as above; names are text of the program.
        let status = unsafe {
            let functions = std::slice::from_raw_parts(MODULE.functions, MODULE.function_count as usize);
            let function = functions.iter().find(|function| text(&function.name) == name).expect(name);
            function.call.expect("call")(self.0, &raw const SHOWN.0, args.as_ptr(), args.len(), &mut output)
        };
        (status, taken(&mut output))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the instance was made by `create` and is used no more.
        unsafe { MODULE.destroy.expect("destroy")(self.0) }
    }
}

fn text(text: &abi::Str) -> &str {
    // SAFETY: names and messages are UTF-8 that is there.
    unsafe { str::from_utf8(std::slice::from_raw_parts(text.data, text.len)).expect("text") }
}

fn taken(output: &mut abi::Output) -> Value {
    let value = copied(&output.value);
    if let Some(release) = output.release {
        // SAFETY: the output is released once.
        unsafe { release(output) };
        assert!(output.release.is_none());
    }
    value
}

fn copied(value: &abi::Value) -> Value {
    // SAFETY: the value is as the interface says.
    unsafe {
        let bytes = |value: &abi::Value| match value.len {
            0 => Vec::new(),
            len => std::slice::from_raw_parts(value.payload.bytes, len).to_vec(),
        };
        match value.tag {
            abi::TAG_BOOL => Value::Bool(value.payload.integer == 1),
            abi::TAG_INT => Value::Int(value.payload.integer),
            abi::TAG_FLOAT => Value::Float(value.payload.number),
            abi::TAG_TEXT => Value::Text(String::from_utf8(bytes(value)).expect("text")),
            abi::TAG_BYTES => Value::Bytes(bytes(value)),
            abi::TAG_LIST if value.len == 0 => Value::List(Vec::new()),
            abi::TAG_LIST => {
                let items = std::slice::from_raw_parts(value.payload.items, value.len);
                Value::List(items.iter().map(copied).collect())
            }
            abi::TAG_MAP if value.len == 0 => Value::Map(Row::new()),
            abi::TAG_MAP => {
                let entries = std::slice::from_raw_parts(value.payload.entries, value.len);
                Value::Map(entries.iter().map(|entry| (text(&entry.key), copied(&entry.value))).collect())
            }
            _ => Value::Null,
        }
    }
}

static HOST: abi::Host = abi::Host { head: abi::Head::of::<abi::Host>(), log, config, call, time_left };

struct Shown(abi::Context);

// SAFETY: the context of these tests is never written to.
unsafe impl Sync for Shown {}

static SHOWN: Shown =
    Shown(abi::Context { head: abi::Head::of::<abi::Context>(), host: &HOST, cancelled: ptr::null() });

unsafe extern "C" fn log(_: *const abi::Context, level: u32, message: abi::Str) {
    assert_eq!((level, text(&message)), (abi::LEVEL_INFO, "asked"));
}

unsafe extern "C" fn config(_: *const abi::Context, key: abi::Str, output: *mut abi::Output) -> i32 {
    assert_eq!(text(&key), "limit");
    // SAFETY: the output is to be written.
    unsafe { (*output).value = abi::Value::int(7) };
    abi::STATUS_OK
}

unsafe extern "C" fn call(
    _: *const abi::Context,
    slot: abi::Str,
    function: abi::Str,
    args: *const abi::Value,
    count: usize,
    output: *mut abi::Output,
) -> i32 {
    // SAFETY: the arguments are there until this returns.
    let args = unsafe { std::slice::from_raw_parts(args, count) };
    let args: Vec<Value> = args.iter().map(copied).collect();
    assert_eq!((text(&slot), text(&function)), ("rates", "rate"));
    assert_eq!(args, [Value::from("EUR"), Value::Int(2)]);
    // SAFETY: the output is to be written.
    unsafe { (*output).value = abi::Value::text("No rate is known") };
    abi::STATUS_FAILED
}

unsafe extern "C" fn time_left(_: *const abi::Context) -> u64 {
    abi::NO_DEADLINE
}

fn key(name: &'static str, value: abi::Value) -> abi::Entry {
    abi::Entry { key: abi::Str::new(name), value }
}

fn started() -> Instance {
    Instance::new(&[]).unwrap_or_else(|(_, error)| panic!("{error:?}"))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().collect())
}

#[test]
fn values_cross_both_ways() {
    let one = started();
    let check = |name: &str, args: &[abi::Value], gives: Value| {
        assert_eq!(one.call(name, args), (abi::STATUS_OK, gives), "{name}");
    };
    check("add", &[abi::Value::int(2), abi::Value::int(3)], Value::Int(5));
    check("shout", &[abi::Value::text("ab"), abi::Value::text("!")], "AB!".into());
    check("shout", &[abi::Value::text("é")], "É".into());
    check("shout", &[abi::Value::text("")], "".into());
    check("name", &[], "any".into());
    check("first", &[abi::Value::bytes(b"xyz")], Value::Bytes(b"x".to_vec()));
    check("count", &[], Value::Int(1));
    check("count", &[], Value::Int(2));
    let names = [abi::Value::text("a name of some length"), abi::Value::text("b")];
    check("longest", &[abi::Value::list(&names)], "a name of some length".into());
    let numbers = [abi::Value::float(1.5), abi::Value::int(2)];
    let by = [key("a", abi::Value::int(4)), key("b", abi::Value::int(5))];
    check(
        "sum",
        &[abi::Value::list(&numbers), abi::Value::map(&by)],
        Value::List(vec![3.5.into(), 9.into()]),
    );
    let place = [key("city", abi::Value::text("Oslo"))];
    check("visit", &[abi::Value::map(&place)], map([("city", "Oslo".into()), ("days", 1.into())]));
    check("shape", &[abi::Value::text("nothing")], map([("round_one", 1.0.into())]));
    let round = [key("round_one", abi::Value::float(2.0))];
    check("shape", &[abi::Value::map(&round)], map([("flat", map([("width", 2.into())]))]));
    check("keys", &[abi::Value::map(&by)], Value::Int(2));
    check("all", &[abi::Value::list(&[abi::Value::NULL; 3])], Value::Int(3));
    check("all", &[], Value::Int(0));
    check("setting", &[], Value::Int(7));
    let row = [key("price", abi::Value::float(10.0)), key("quantity", abi::Value::int(2))];
    let gives = map([("price", 10.0.into()), ("quantity", 2.into()), ("total", 24.0.into())]);
    check("transform", &[abi::Value::map(&row)], gives);
    let none = [key("price", abi::Value::float(10.0)), key("quantity", abi::Value::int(0))];
    check("transform", &[abi::Value::map(&none)], Value::Null);
}

#[test]
fn failures_say_what_is_wrong() {
    let one = started();
    let check = |name: &str, args: &[abi::Value], status: i32, error: Value| {
        assert_eq!(one.call(name, args), (status, error), "{name}");
    };
    let bad = abi::STATUS_BAD_ARGUMENTS;
    check(
        "add",
        &[abi::Value::int(1), abi::Value::text("x")],
        bad,
        "`b` must be a whole number, but is text".into(),
    );
    check(
        "narrow",
        &[abi::Value::int(256)],
        bad,
        "`number` must be a whole number from 0 to 255, but is 256".into(),
    );
    let told =
        map([("message", "It takes 2 arguments, but 1 was given".into()), ("hint", "Give `a`, `b`".into())]);
    check("add", &[abi::Value::int(1)], bad, told);
    let numbers = [abi::Value::float(1.5), abi::Value::NULL];
    let said = "`numbers[1]` must be a number, but is nothing";
    check("sum", &[abi::Value::list(&numbers), abi::Value::map(&[])], bad, said.into());
    check("visit", &[abi::Value::map(&[])], bad, "`place` has no `city`".into());
    check(
        "shape",
        &[abi::Value::text("odd")],
        bad,
        "`shape` must be one of `nothing`, `round_one`, `flat`, but is `odd`".into(),
    );
    check("refuse", &[], abi::STATUS_FAILED, "It is refused".into());
    let (status, error) = one.call("parse", &[abi::Value::text("x")]);
    assert_eq!(status, abi::STATUS_FAILED);
    assert_eq!(error.get("class").and_then(Value::as_str), Some("ParseIntError"));
    assert_eq!(error.get("message").and_then(Value::as_str), Some("invalid digit found in string"));
    check("ask", &[], abi::STATUS_FAILED, "No rate is known".into());
    let (status, error) = one.call("narrow", &[abi::Value::int(0)]);
    assert_eq!(status, abi::STATUS_FAILED);
    let message = format!("{} is a whole number of more than 64 bits", u64::MAX);
    assert_eq!(error.get("message").and_then(Value::as_str), Some(message.as_str()));
}

#[test]
fn a_panic_stays_inside() {
    let one = started();
    for _ in 0..2 {
        let (status, error) = one.call("panics", &[]);
        assert_eq!(status, abi::STATUS_PANICKED);
        assert_eq!(error.get("message").and_then(Value::as_str), Some("at 3"));
        assert_eq!(error.get("class").and_then(Value::as_str), Some("panic"));
        let place = error.get("traceback").and_then(Value::as_str).unwrap_or_default();
        assert!(place.contains("everything.rs:"), "{place}");
    }
    assert_eq!(one.call("count", &[]), (abi::STATUS_OK, Value::Int(1)));
    let (status, error) = Instance::new(&[key("panics", abi::Value::int(3))]).err().expect("it panics");
    assert_eq!(status, abi::STATUS_PANICKED);
    assert_eq!(error.get("message").and_then(Value::as_str), Some("no more than 2"));
}

#[test]
fn parameters_are_checked() {
    let check = |entry: abi::Entry, message: &str| {
        let (status, error) = Instance::new(&[entry]).err().expect("it is refused");
        assert_eq!(status, abi::STATUS_BAD_ARGUMENTS);
        let told = error.as_str().or_else(|| error.get("message").and_then(Value::as_str));
        assert_eq!(told, Some(message));
    };
    check(key("tax", abi::Value::float(2.0)), "`tax` must be at most 1.0, but is 2.0");
    check(key("tax", abi::Value::text("x")), "`tax` must be a number, but is text");
    check(key("name", abi::Value::text("x")), "`name` must be one of `any`, `one`, but is `x`");
    check(key("taxes", abi::Value::int(1)), "There is no parameter `taxes`");
    let one = Instance::new(&[key("name", abi::Value::text("one"))])
        .unwrap_or_else(|(_, error)| panic!("{error:?}"));
    assert_eq!(one.call("name", &[]), (abi::STATUS_OK, "one".into()));
}

#[test]
fn functions_that_change_the_state_come_one_at_a_time() {
    // SAFETY: the table is there and never written to.
    let module = unsafe { &MODULE };
    assert_eq!(module.flags & abi::THREAD_SAFE, 0);
    assert_eq!(module.head, abi::Head::of::<abi::Module>());
}
