"""The edits of a library in Rust that are compared: its text for hot-lib-reloader and for modrack's kit.

Nothing is run here.
The two texts say the same in the two forms: functions under their own names there, functions of a module here.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import Any

CUT = "cut"


@dataclass(frozen=True)
class Native:
    """An edit of a library, what is wanted of it, and what is called."""

    name: str
    about: str
    wanted: str
    plain: list[str]  # For hot-lib-reloader: before, and after each edit.
    kit: list[str]  # The same for modrack.
    function: str = "number"
    args: tuple[Any, ...] = ()
    words: tuple[tuple[Any, str], ...] = ((1, "old"), (2, "new"))
    calls: int = 1  # How often it is called before the edit.
    broken: str = ""
    back: bool = False


def number(body: str, name: str = "number", args: str = "", result: str = "i64", around: str = "") -> tuple[str, str]:
    """A function of a library, in both forms. `around` stands beside it."""
    plain = f"{around}\n#[unsafe(no_mangle)]\npub fn {name}({args}) -> {result} {{\n{body}\n}}\n"
    around = around.replace("#[unsafe(no_mangle)]\n", "")
    kit = f"#[modrack::module]\npub mod module {{\n{around}\npub fn {name}({args}) -> {result} {{\n{body}\n}}\n}}\n"
    return plain, kit


def _native(name: str, about: str, wanted: str, texts: list[tuple[str, str]], **more: Any) -> Native:
    return Native(name, about, wanted, [text[0] for text in texts], [text[1] for text in texts], **more)


COUNTER_KIT = dedent(
    """
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    pub struct Counter {
        count: AtomicI64,
    }

    #[modrack::module]
    impl Counter {
        pub fn add(&self) -> i64 {
            self.count.fetch_add(STEP, Ordering::Relaxed) + STEP
        }
        CARRY
    }
    """
)
CARRY_KIT = """
        pub fn export_state(&self) -> i64 {
            self.count.load(Ordering::Relaxed)
        }

        pub fn import_state(&self, state: i64, _from_version: Option<String>) {
            self.count.store(state, Ordering::Relaxed);
        }
"""
COUNTER_PLAIN = dedent(
    """
    use std::sync::atomic::{AtomicI64, Ordering};

    static COUNT: AtomicI64 = AtomicI64::new(0);

    #[unsafe(no_mangle)]
    pub fn add() -> i64 {
        COUNT.fetch_add(STEP, Ordering::Relaxed) + STEP
    }
    """
)


def counter(carry: str) -> list[tuple[str, str]]:
    """A counter that counts by ones, and then by tens."""
    steps = ("1", "10")
    return [
        (COUNTER_PLAIN.replace("STEP", step), COUNTER_KIT.replace("STEP", step).replace("CARRY", carry))
        for step in steps
    ]


COUNTED = ((4, "old code"), (10, "lost"), (13, "kept"))

ITEM_PLAIN = """
#[repr(C)]
pub struct Item {{ {fields} }}

#[unsafe(no_mangle)]
pub fn total(item: &Item) -> i64 {{
    item.price * 10 + item.count + {more}
}}
"""
ITEM_KIT = """
#[derive(modrack::Value)]
pub struct Item {{ {fields} }}

#[modrack::module]
pub mod module {{
    pub fn total(item: super::Item) -> i64 {{
        item.price * 10 + item.count + {more}
    }}
}}
"""


def item(fields: str, more: int) -> tuple[str, str]:
    """A function of a struct."""
    return ITEM_PLAIN.format(fields=fields, more=more), ITEM_KIT.format(fields=fields, more=more)


TEXT_PLAIN = '#[unsafe(no_mangle)]\npub fn name() -> &\'static str {{\n    "{text}"\n}}\n'
TEXT_KIT = (
    '#[modrack::module]\npub mod module {{\n    pub fn name() -> String {{\n        "{text}".to_owned()\n    }}\n}}\n'
)


def text(text: str) -> tuple[str, str]:
    """A function that gives a text which lies in the library."""
    return TEXT_PLAIN.format(text=text), TEXT_KIT.format(text=text)


WORK = """
    let folder = std::path::Path::new(folder);
    let before = now();
    std::fs::write(folder.join("inside"), "").unwrap();
    while !folder.join("go").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    (before, now())
"""
BEAT = """
    let folder = std::path::PathBuf::from(folder);
    std::thread::spawn(move || {
        std::fs::write(folder.join("inside"), "").unwrap();
        loop {
            std::fs::write(folder.join("beat"), "").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
"""
PAUSE = "    std::thread::sleep(std::time::Duration::from_millis(2));\n    {n}"
BESIDE = "#[unsafe(no_mangle)]\npub fn number() -> i64 {{\n    {n}\n}}\n"
NOW = "fn now() -> i64 {{\n    {n}\n}}\n"

NATIVES = [
    _native("body", "the body of a function", "new", [number("    1"), number("    2")]),
    _native(
        "signature",
        "a parameter of another type, which callers were not built for",
        "old, told",
        [number("    x / 2.0", "half", "x: f64", "f64"), number("    x / 2", "half", "x: i64")],
        function="half",
        args=(8.0,),
        words=((4.0, "old"),),
        broken="match",
    ),
    _native(
        "layout",
        "the fields of a struct in another order",
        "new",
        [item("pub price: i64, pub count: i64", 0), item("pub count: i64, pub price: i64", 1000)],
        function="total",
        args=({"price": 2, "count": 3},),
        words=((23, "old"), (1023, "new")),
    ),
    _native(
        "removed",
        "a function that is in use is removed",
        "old, told",
        [number("    1", "extra"), number("    2")],
        function="extra",
        broken="match",
    ),
    _native(
        "panic",
        "a panic in the new code",
        "the call fails",
        [number("    1"), number('    panic!("it does not know")')],
    ),
    _native(
        "state",
        "a counter of the library; the module says how its state is carried",
        "kept",
        counter(CARRY_KIT),
        function="add",
        words=COUNTED,
        calls=3,
    ),
    _native(
        "state unsaid",
        "the same, where the module says nothing of its state",
        "kept",
        counter(""),
        function="add",
        words=COUNTED,
        calls=3,
    ),
    _native(
        "text",
        "a text of the library, used after the edit",
        "as it was",
        [text("the old text"), text("the new text")],
        function="name",
        words=(("the old text", "as it was"),),
    ),
    _native(
        "call under way",
        "a call that is under way goes on to call another function of its library",
        "old throughout",
        [
            number(WORK, "work", "folder: &str", "(i64, i64)", NOW.format(n=1)),
            number(WORK, "work", "folder: &str", "(i64, i64)", NOW.format(n=2)),
        ],
        function="work",
        words=(([1, 1], "old throughout"),),
    ),
    _native(
        "beside a call",
        "a call that begins while one of the old code is under way",
        "new",
        [number(WORK, "work", "folder: &str", "(i64, i64)", NOW.format(n=n) + BESIDE.format(n=n)) for n in (1, 2)],
        function="work",
    ),
    _native(
        "no pause",
        "an edit while four threads call without a pause",
        "new",
        [number(PAUSE.format(n=1), "pause"), number(PAUSE.format(n=2), "pause")],
        function="pause",
    ),
    _native(
        "thread",
        "a thread that the library has started",
        "goes on",
        [number(BEAT, "start", "folder: &str", "()"), number(BEAT + "// Edited.", "start", "folder: &str", "()")],
        function="start",
    ),
    _native(
        "cut",
        "a library of which a tenth is on the disk",
        "old, told",
        [number("    1"), number("    2")],
        broken=CUT,
    ),
    _native(
        "back", "back to what was before, without the old text", "old", [number("    1"), number("    2")], back=True
    ),
    _native(
        "memory",
        "the code of the old forms, after five edits",
        "freed",
        [number(f"    {n}") for n in range(1, 7)],
    ),
]
