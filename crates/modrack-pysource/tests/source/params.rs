//! How parameters reach a module, and which do not fit.

use expect_test::{Expect, expect};
use modrack_core::{Map, Text, Value};
use modrack_pysource::{check_params, plan_start};

use crate::show::{describe, folder, show_error};

/// Binds `params` (`name=value`, values as in JSON without nesting) to the module with this source; shows
/// how it is started, and what does not fit.
fn check(source: &str, text: &str, params: &str, needs: &[&str], expected: Expect) {
    let folder = folder(&[("x.py", source)]);
    let described = describe(folder.path(), text).unwrap();
    let params: Map = params.split_whitespace().map(pair).collect();
    let needs: Vec<Text> = needs.iter().map(|need| Text::from(*need)).collect();
    let plan = plan_start(&described, &params, &needs);
    let mut shown = format!("construct {:?}\n", plan.construct);
    if let Some((name, binding)) = &plan.initialize {
        shown.push_str(&format!("{name} {binding:?}\n"));
    }
    for (word, names) in [
        ("functions", &plan.for_functions),
        ("injected", &plan.injected),
        ("attributes", &plan.attributes),
        ("left", &plan.left),
    ] {
        if !names.is_empty() {
            shown.push_str(&format!("{word} {names:?}\n"));
        }
    }
    for error in check_params(&described, &params, &needs) {
        shown.push_str(&show_error(folder.path(), &error));
    }
    expected.assert_eq(&shown);
}

fn pair(text: &str) -> (Text, Value) {
    let (name, value) = text.split_once('=').unwrap();
    (name.into(), value_of(value))
}

fn value_of(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "{}" => Value::from(Map::new()),
        _ => match (
            text.strip_prefix('[').and_then(|t| t.strip_suffix(']')),
            text.parse::<i64>(),
            text.parse(),
        ) {
            (Some(items), ..) => {
                Value::List(items.split(',').filter(|item| !item.is_empty()).map(value_of).collect())
            }
            (_, Ok(number), _) => Value::Int(number),
            (_, _, Ok(number)) => Value::Float(number),
            _ => Value::from(text),
        },
    }
}

#[test]
fn a_class_takes_them_by_name() {
    let class = "class A:\n    def __init__(self, width: int, name: str = 'x', *, deep=True): ...\n    def run(self): ...\n";
    check(
        class,
        "x.py",
        "width=3 deep=1",
        &[],
        expect![[r#"
        construct Keywords(["width", "deep"])
    "#]],
    );
    check(
        class,
        "x.py",
        "widht=3",
        &[],
        expect![[r#"
            construct Nothing
            left ["widht"]
            M0307: `x` takes no parameter `widht`
            at x.py:1 params.widht
            hint: Did you mean `width`?
        "#]],
    );
    check(
        class,
        "x.py",
        "widht=3 width=three",
        &[],
        expect![[r#"
        construct Keywords(["width"])
        left ["widht"]
        M0307: `x` takes no parameter `widht`
        at x.py:1 params.widht
        hint: Did you mean `width`?
        M0307: The parameter `width` of `x` is `int`, but is given the text `three`
        at x.py:1 params.width
        hint: Give `width` a value that is `int`
    "#]],
    );
    check(
        class,
        "x.py",
        "width=three name=3",
        &[],
        expect![[r#"
        construct Keywords(["width", "name"])
        M0307: The parameter `width` of `x` is `int`, but is given the text `three`
        at x.py:1 params.width
        hint: Give `width` a value that is `int`
        M0307: The parameter `name` of `x` is `str`, but is given the number `3`
        at x.py:1 params.name
        hint: Give `name` a value that is `str`
    "#]],
    );
    check(
        class,
        "x.py",
        "name=a colour=red",
        &["width", "rates"],
        expect![[r#"
        construct Keywords(["name"])
        injected ["width"]
        attributes ["rates"]
        left ["colour"]
        M0307: `x` takes no parameter `colour`
        at x.py:1 params.colour
        hint: It takes `name`, `deep`
    "#]],
    );
    check(
        "class A:\n    def run(self): ...\n",
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Nothing
        left ["width"]
        M0307: `x` takes no parameter `width`
        at x.py:1 params.width
        hint: It takes no parameters; take `params` away
    "#]],
    );
    check(
        "class A:\n    def __init__(self, **kw): ...\n    def run(self): ...\n",
        "x.py",
        "width=3",
        &["rates"],
        expect![[r#"
            construct Keywords(["width"])
            injected ["rates"]
        "#]],
    );
    check(
        "from b import B\nclass A(B):\n    def run(self): ...\n",
        "x.py",
        "width=3",
        &["rates"],
        expect![[r#"
            construct Keywords(["width"])
            injected ["rates"]
        "#]],
    );
}

#[test]
fn a_whole_configuration_goes_to_the_parameter_that_is_called_so() {
    let class =
        |init: &str| format!("class A:\n    def __init__(self, {init}): ...\n    def run(self): ...\n");
    check(
        &class("config"),
        "x.py",
        "width=3 name=a",
        &[],
        expect![[r#"
        construct Mapping { parameter: "config", keys: ["width", "name"], by_name: [] }
    "#]],
    );
    check(
        &class("config"),
        "x.py",
        "",
        &[],
        expect![[r#"
        construct Mapping { parameter: "config", keys: [], by_name: [] }
    "#]],
    );
    check(
        &class("config"),
        "x.py",
        "config={}",
        &[],
        expect![[r#"
        construct Keywords(["config"])
    "#]],
    );
    check(
        &class("config: str"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Nothing
        left ["width"]
        M0307: `x` takes no parameter `width`
        at x.py:1 params.width
        hint: It takes `config`
        M0307: `x` must be given the parameter `config`
        at x.py:1 params.config
        hint: Add `config` (str) to `params`, or inject it with `needs`
    "#]],
    );
    check(
        &class("options=None, name='x'"),
        "x.py",
        "width=3 name=a",
        &[],
        expect![[r#"
        construct Mapping { parameter: "options", keys: ["width"], by_name: ["name"] }
    "#]],
    );
    check(
        &class("table: dict[str, int]"),
        "x.py",
        "a=1 b=2",
        &[],
        expect![[r#"
        construct Mapping { parameter: "table", keys: ["a", "b"], by_name: [] }
    "#]],
    );
    check(
        &class("width=3, table: dict = None"),
        "x.py",
        "widht=3",
        &[],
        expect![[r#"
        construct Nothing
        left ["widht"]
        M0307: `x` takes no parameter `widht`
        at x.py:1 params.widht
        hint: Did you mean `width`?
    "#]],
    );
    check(
        &class("settings, rates"),
        "x.py",
        "width=3",
        &["rates"],
        expect![[r#"
        construct Mapping { parameter: "settings", keys: ["width"], by_name: [] }
        injected ["rates"]
    "#]],
    );
    check(
        &class("config, **rest"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Mapping { parameter: "config", keys: ["width"], by_name: [] }
    "#]],
    );
    check(
        &class("config=None, **rest"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Keywords(["width"])
    "#]],
    );
}

#[test]
fn then_initialize_is_called() {
    let class = |init: &str, then: &str| {
        format!(
            "class A:\n    def __init__(self{init}): ...\n    def {then}: ...\n    def execute(self): ...\n"
        )
    };
    check(
        &class("", "initialize(self, config)"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Nothing
        initialize Mapping { parameter: "config", keys: ["width"], by_name: [] }
    "#]],
    );
    check(
        &class("", "initialize(self)"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Nothing
        initialize Nothing
        left ["width"]
        M0307: `x` takes no parameter `width`
        at x.py:1 params.width
        hint: It takes no parameters; take `params` away
    "#]],
    );
    check(
        &class(", width", "initialize(self, config: dict)"),
        "x.py",
        "width=3 name=a",
        &["db"],
        expect![[r#"
            construct Keywords(["width"])
            initialize Mapping { parameter: "config", keys: ["width", "name"], by_name: [] }
            attributes ["db"]
        "#]],
    );
    check(
        &class("", "initialize(self, host: str, port: int = 80)"),
        "x.py",
        "port=eighty",
        &[],
        expect![[r#"
            construct Nothing
            initialize Keywords(["port"])
            M0307: `x` must be given the parameter `host`
            at x.py:1 params.host
            hint: Add `host` (str) to `params`, or inject it with `needs`
            M0307: The parameter `port` of `x` is `int`, but is given the text `eighty`
            at x.py:1 params.port
            hint: Give `port` a value that is `int`
        "#]],
    );
    check(
        &class("", "start(self)"),
        "x.py",
        "",
        &[],
        expect![[r#"
        construct Nothing
        start Nothing
    "#]],
    );
    check(
        &class("", "start(self, job)"),
        "x.py",
        "",
        &[],
        expect![[r#"
        construct Nothing
    "#]],
    );
    check(
        &class("", "start(self, settings)"),
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Nothing
        start Mapping { parameter: "settings", keys: ["width"], by_name: [] }
    "#]],
    );
}

#[test]
fn a_factory_takes_them_as_a_constructor_does() {
    check(
        "def create(params): return make()\n",
        "x.py",
        "width=3",
        &[],
        expect![[r#"
        construct Mapping { parameter: "params", keys: ["width"], by_name: [] }
    "#]],
    );
    check(
        "def create(state): ...\ndef run(): ...\n",
        "x.py",
        "",
        &[],
        expect![[r#"
        construct Mapping { parameter: "state", keys: [], by_name: [] }
    "#]],
    );
    check(
        "def make(width: float, tags: list[str] = ()): return 1\n",
        "x.py:make()",
        "width=3 tags=a",
        &[],
        expect![[r#"
            construct Keywords(["width", "tags"])
            M0307: The parameter `tags` of `x` is `list[str]`, but is given the text `a`
            at x.py params.tags
            hint: Give `tags` a value that is `list[str]`
        "#]],
    );
    check(
        "def make(width): return 1\n",
        "x.py:make()",
        "",
        &[],
        expect![[r#"
        construct Nothing
        M0307: `x` must be given the parameter `width`
        at x.py params.width
        hint: Add `width` to `params`, or inject it with `needs`
    "#]],
    );
}

#[test]
fn a_plain_function_is_given_them_by_name_at_each_call() {
    let late = "def late(row: dict, minutes: int = 15, options=None): ...\n";
    check(
        late,
        "x.py:late",
        "minutes=60",
        &[],
        expect![[r#"
        construct Keywords(["minutes"])
    "#]],
    );
    check(
        late,
        "x.py:late",
        "minute=60",
        &[],
        expect![[r#"
        construct Nothing
        left ["minute"]
        M0307: `x` takes no parameter `minute`
        at x.py:1 params.minute
        hint: Did you mean `minutes`?
    "#]],
    );
    check(
        late,
        "x.py:late",
        "minutes=many",
        &["options"],
        expect![[r#"
        construct Keywords(["minutes"])
        injected ["options"]
        M0307: The parameter `minutes` of `x` is `int`, but is given the text `many`
        at x.py:1 params.minutes
        hint: Give `minutes` a value that is `int`
    "#]],
    );
}

#[test]
fn functions_of_a_module_are_each_given_what_they_name() {
    let module = "def late(row: dict, minutes: int = 15): ...\ndef early(row: dict, hours=1): ...\n";
    check(
        module,
        "x.py",
        "minutes=60 hours=2",
        &[],
        expect![[r#"
        construct Nothing
        functions ["minutes", "hours"]
    "#]],
    );
    check(
        module,
        "x.py",
        "minutes=60 colour=red",
        &["rates"],
        expect![[r#"
        construct Nothing
        functions ["minutes"]
        attributes ["rates"]
        left ["colour"]
        M0307: `x` takes no parameter `colour`
        at x.py params.colour
        hint: It takes `row`, `minutes`, `hours`
    "#]],
    );
    check(
        module,
        "x.py",
        "minutes=many",
        &[],
        expect![[r#"
        construct Nothing
        functions ["minutes"]
        M0307: The parameter `minutes` of `x` is `int`, but is given the text `many`
        at x.py params.minutes
        hint: Give `minutes` a value that is `int`
    "#]],
    );
    check(
        &format!("{module}def initialize(config): ...\n"),
        "x.py",
        "colour=red",
        &[],
        expect![[r#"
        construct Nothing
        initialize Mapping { parameter: "config", keys: ["colour"], by_name: [] }
    "#]],
    );
    check(
        &format!("from b import *\n{module}"),
        "x.py",
        "colour=red",
        &[],
        expect![[r#"
        construct Nothing
        functions ["colour"]
    "#]],
    );
}

#[test]
fn an_object_takes_none() {
    check(
        "class A:\n    def run(self): ...\na = A()\n",
        "x.py:a",
        "width=3",
        &["rates"],
        expect![[r#"
        construct Nothing
        attributes ["rates"]
        left ["width"]
        M0307: `x` takes no parameter `width`
        at x.py params.width
        hint: It takes no parameters; take `params` away
    "#]],
    );
}

#[test]
fn values_are_held_against_types() {
    let class = |annotation: &str| {
        format!(
            "from typing import *\nclass A:\n    def __init__(self, a: {annotation}): ...\n    def run(self): ...\n"
        )
    };
    for (annotation, value, fits) in [
        ("int", "1", true),
        ("int", "1.5", false),
        ("int", "true", true),
        ("float", "1", true),
        ("float", "one", false),
        ("str", "a", true),
        ("str", "1", false),
        ("bool", "1", false),
        ("bool", "true", true),
        ("int | None", "null", true),
        ("int", "null", false),
        ("list[int]", "[1,2]", true),
        ("list[int]", "[1,b]", false),
        ("list[str]", "a", false),
        ("tuple[int, str]", "[1,a]", true),
        ("tuple[int, str]", "[1]", false),
        ("set[str]", "[a]", true),
        ("Iterable[str]", "[a]", true),
        ("dict", "{}", true),
        ("dict", "a", false),
        ("Literal['a', 'b']", "a", true),
        ("Literal['a', 'b']", "c", false),
        ("int | str", "a", true),
        ("int | str", "1.5", false),
        ("Path", "a", true),
        ("Any", "[1]", true),
    ] {
        let folder = folder(&[("x.py", &class(annotation))]);
        let described = describe(folder.path(), "x.py").unwrap();
        let params: Map = [(Text::from("a"), value_of(value))].into_iter().collect();
        assert_eq!(check_params(&described, &params, &[]).is_empty(), fits, "{annotation} = {value}");
    }
}
