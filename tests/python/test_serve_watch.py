"""`modrack serve --watch`: what is saved comes to serve, whoever saves it and however, and what is not whole does not.

A case is files, and steps that the server is taken through.
"""

from __future__ import annotations

import pytest
from test_swaps_command import hundred

from harness import Modrack
from languages import LANGUAGES, module
from saves import (
    at_the_same_time,
    by_vim,
    each,
    edit,
    editors_files,
    folder_of,
    mount,
    nothing,
    release,
    remove,
    renamed,
    save,
    touch,
)
from watched import MOUNTED, ONE, TWO, Step, gives, rack, watching

# A case: the files beside those that all have, and what is done.
Case = tuple[dict[str, str], list[Step]]


def package(value: int) -> dict[str, str]:
    """The files of a package with submodules, both of which have this value."""
    return {
        "__init__.py": "from . import sub\nfrom .deep import part\n\ndef f():\n    return [sub.v, part.v]\n",
        "sub.py": f"v = {value}\n",
        "deep/__init__.py": "",
        "deep/part.py": f"v = {value}\n",
    }


PACKAGE = {
    "rack.yaml": rack("one: ./pkg", "two: ./two.py"),
    **{f"pkg/{name}": text for name, text in package(1).items()},
}
USER = """
import helper

class User:
    def __init__(self, base):
        self.base, self.seen = base, base.f()

    def f(self):
        return [helper.v, self.seen, self.base.f()]
"""
NEEDS = {
    **MOUNTED,
    "user.py": USER,
    "zero.py": ONE,
    "rack.yaml": rack("user: { use: './user.py:User', needs: { base: zero } }", "zero: ./zero.py"),
}
PRICING = """package acme:pricing@1.0.0;
interface pricing {
    unit-price: func(item: string) -> f64;
}
world module { export pricing; }
"""
MORE = PRICING.replace("f64;\n", "f64;\n    discount: func(item: string) -> f64;\n")
PRICE = "def unit_price(item: str) -> float:\n    return 1.0\n"
CONTRACT = {
    "rack.yaml": rack(
        "price: { use: ./price.py, contract: pricing@1 }",
        "two: ./two.py",
        more="contracts: [./contracts/pricing.wit]\n",
    ),
    "contracts/pricing.wit": PRICING,
    "price.py": PRICE,
}
LIMITED = "one: { use: ./one.py, limits: { time: 9s } }"

CASES: dict[str, Case] = {
    "a file": ({}, [Step(save("two.py", gives(2)), ["swapped two"], {"one": 1, "two": 2})]),
    "a helper beside a file": (
        {},
        [
            Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2, "two": 1}),
            Step(renamed("helper.py", "v = 3\n"), ["swapped one"], {"one": 3, "two": 1}),
        ],
    ),
    "a helper that is new": (
        {},
        [
            Step(
                each(save("more.py", "v = 2\n"), save("one.py", ONE.replace("helper", "more"))),
                ["swapped one"],
                {"one": 2},
            ),
            # It belongs to nobody any more.
            Step(save("helper.py", "v = 9\n"), [], {"one": 2}),
            Step(save("more.py", "v = 3\n"), ["swapped one"], {"one": 3}),
        ],
    ),
    "a package's submodules": (
        PACKAGE,
        [
            Step(save("pkg/sub.py", "v = 2\n"), ["swapped one"], {"one": [2, 1]}),
            Step(renamed("pkg/deep/part.py", "v = 2\n"), ["swapped one"], {"one": [2, 2]}),
            Step(folder_of("pkg", package(3)), ["swapped one"], {"one": [3, 3]}),
        ],
    ),
    "edits of the same size at once": (
        {},
        [
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(save("two.py", gives(3)), ["swapped two"], {"two": 3}),
            Step(at_the_same_time("two.py", gives(4)), ["swapped two"], {"two": 4}),
            Step(at_the_same_time("helper.py", "v = 2\n"), ["swapped one"], {"one": 2}),
        ],
    ),
    "what is touched": (
        {**PACKAGE, "rack.yaml": rack("one: ./pkg", "two: ./two.py")},
        [
            Step(touch("two.py"), [], {"two": 1}),
            Step(touch("pkg/sub.py"), [], {"one": [1, 1]}),
            Step(touch("rack.yaml"), []),
        ],
    ),
    "a save by rename": (
        {},
        [
            Step(renamed("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(by_vim("two.py", gives(3)), ["swapped two"], {"two": 3}),
            Step(each(remove("two.py"), save("two.py", gives(4))), ["swapped two"], {"two": 4}),
            Step(
                renamed("rack.yaml", TWO.replace("one: ./one.py", LIMITED)), ["swapped one", "changed +[] ~[one] -[]"]
            ),
        ],
    ),
    "what editors put beside a file": (PACKAGE, [Step(editors_files, [], {"one": [1, 1]})]),
    "a folder that Kubernetes mounts": (
        {},
        [
            Step(mount(1, MOUNTED), [], {"one": 1}),
            Step(mount(2, {**MOUNTED, "helper.py": "v = 2\n"}), ["swapped one"], {"one": 2, "two": 1}),
            Step(
                mount(3, {**MOUNTED, "helper.py": "v = 2\n", "rack.yaml": TWO.replace("one: ./one.py", LIMITED)}),
                ["swapped one", "changed +[] ~[one] -[]"],
                {"one": 2},
            ),
            Step(mount(4, {**MOUNTED, "helper.py": "v = 3\n"}), ["swapped one", "changed +[] ~[one] -[]"], {"one": 3}),
        ],
    ),
    "a link to a folder that is turned": (
        {"rack.yaml": rack("one: ./current/one.py"), "current/one.py": gives(1)},
        [
            Step(release(2, gives(2)), ["swapped one"], {"one": 2}),
            Step(release(3, gives(2)), [], {"one": 2}),
            Step(save("releases/3/one.py", gives(3)), ["swapped one"], {"one": 3}),
            Step(save("releases/2/one.py", gives(9)), [], {"one": 3}),
        ],
    ),
    "what is broken and mended": (
        {},
        [
            Step(save("two.py", "def f():\n    return = 2\n"), ["failed two match M0302 two.py:2:12"], {"two": 1}),
            # Saved as it is, it is tried again.
            Step(touch("two.py"), ["failed two match M0302 two.py:2:12"], {"two": 1}),
            Step(save("two.py", "def f(:\n    return 2\n"), ["failed two match M0302 two.py:1:6"], {"two": 1}),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(
                save("two.py", gives(2) + "raise OSError('no port')\n"), ["failed two start M0401 two.py:3"], {"two": 2}
            ),
            Step(save("two.py", gives(3)), ["swapped two"], {"two": 3}),
            # Back to what serves is no swap.
            Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"], {"two": 3}),
            Step(save("two.py", gives(3)), ["module.mended two"], {"two": 3}),
        ],
    ),
    "a helper that is broken and mended": (
        {},
        [
            Step(save("helper.py", "v = = 2\n"), ["failed one match M0302 helper.py:1:5"], {"one": 1}),
            Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2}),
            Step(save("helper.py", "v = 1 / 0\n"), ["failed one start M0401 helper.py:1"], {"one": 2}),
            Step(save("helper.py", "v = 3\n"), ["swapped one"], {"one": 3}),
        ],
    ),
    "a submodule that is broken and mended": (
        PACKAGE,
        [
            Step(
                save("pkg/deep/part.py", "v = = 2\n"), ["failed one match M0302 pkg/deep/part.py:1:5"], {"one": [1, 1]}
            ),
            Step(save("pkg/deep/part.py", "v = 2\n"), ["swapped one"], {"one": [1, 2]}),
            Step(
                each(save("pkg/sub.py", "v = = 2\n"), save("pkg/deep/part.py", "v = 3\n")),
                ["failed one match M0302 pkg/sub.py:1:5"],
                {"one": [1, 2]},
            ),
            Step(save("pkg/sub.py", "v = 3\n"), ["swapped one"], {"one": [3, 3]}),
        ],
    ),
    "a helper that goes and comes again": (
        {},
        [
            Step(remove("helper.py"), ["failed one start M0704 one.py:1"], {"one": 1}),
            Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2}),
        ],
    ),
    "a folder that goes and comes again": (
        PACKAGE,
        [
            Step(folder_of("pkg", package(2)), ["swapped one"], {"one": [2, 2]}),
            Step(remove("pkg"), ["failed one fetch M0201 rack.yaml:3:8"], {"one": [2, 2]}),
            Step(folder_of("pkg", package(3)), ["swapped one"], {"one": [3, 3]}),
            Step(save("pkg/sub.py", "v = 4\n"), ["swapped one"], {"one": [4, 3]}),
        ],
    ),
    "slots that depend on one file": (
        NEEDS,
        [
            Step(mount(1, NEEDS), [], {}),
            Step(mount(2, {**NEEDS, "helper.py": "v = 2\n"}), ["swapped zero user"], {"zero": 2, "user": [2, 2, 2]}),
            # All of them or none.
            Step(
                mount(3, {**NEEDS, "helper.py": "v = 3\n", "zero.py": "v = = 1\n"}),
                ["failed zero match M0302 zero.py:1:5"],
                {"zero": 2, "user": [2, 2, 2]},
            ),
            Step(mount(4, {**NEEDS, "helper.py": "v = 3\n"}), ["swapped zero user"], {"zero": 3, "user": [3, 3, 3]}),
        ],
    ),
    "lazy slots that depend on one file": (
        {
            **NEEDS,
            "rack.yaml": rack(
                "user: { use: './user.py:User', needs: { base: zero }, lazy: true }",
                "zero: { use: ./zero.py, lazy: true }",
            ),
        },
        [
            # What is not loaded yet is loaded as it is by then.
            Step(save("helper.py", "v = 2\n"), [], {"user": [2, 2, 2]}),
            Step(save("helper.py", "v = 3\n"), ["swapped zero user"], {"zero": 3, "user": [3, 3, 3]}),
        ],
    ),
    "a slot that is not watched": (
        {"rack.yaml": TWO.replace("two: ./two.py", "two: { use: ./two.py, swap: { watch: false } }")},
        [
            Step(save("two.py", gives(2)), [], {"two": 1}),
            # Nor does another change take it along.
            Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2, "two": 1}),
            Step(edit("rack.yaml", "one: ./one.py", LIMITED), ["swapped one", "changed +[] ~[one] -[]"], {"two": 1}),
            Step(
                edit("rack.yaml", "watch: false", "watch: true"), ["swapped two", "changed +[] ~[two] -[]"], {"two": 2}
            ),
            Step(save("two.py", gives(3)), ["swapped two"], {"two": 3}),
        ],
    ),
    "the rack's text": (
        {},
        [
            Step(
                edit("rack.yaml", "one: ./one.py", LIMITED),
                ["swapped one", "changed +[] ~[one] -[]"],
                {"one": 1, "two": 1},
            ),
            Step(edit("rack.yaml", "rack: 1", "# It means the same.\nrack: 1"), ["changed +[] ~[] -[]"]),
            Step(
                edit("rack.yaml", "  other", "  new: ./two.py\n  other"),
                ["swapped new", "changed +[new] ~[] -[]"],
                {"new": 1},
            ),
            Step(save("two.py", gives(2)), ["swapped two new"], {"two": 2, "new": 2}),
            Step(
                edit("rack.yaml", "  new: ./two.py\n", ""),
                ["module.unloaded new", "changed +[] ~[] -[new]"],
                {"two": 2},
            ),
        ],
    ),
    "the rack's text and a module": (
        {},
        [
            Step(mount(1, MOUNTED), []),
            Step(
                mount(2, {**MOUNTED, "two.py": gives(2), "rack.yaml": TWO.replace("one: ./one.py", LIMITED)}),
                ["swapped one two", "changed +[] ~[one,two] -[]"],
                {"one": 1, "two": 2},
            ),
        ],
    ),
    "a text that is wrong": (
        {},
        [
            Step(edit("rack.yaml", "two:", "two: ["), ["refused M0101 rack.yaml:5:8"], {"one": 1, "two": 1}),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(save("rack.yaml", TWO), ["configuration.mended"], {"two": 2}),
            Step(
                edit("rack.yaml", "one: ./one.py", "one: { uze: ./one.py }"),
                ["refused M0104 rack.yaml:3:10"],
                {"one": 1},
            ),
            Step(touch("rack.yaml"), ["refused M0104 rack.yaml:3:10"], {"one": 1}),
            Step(save("rack.yaml", TWO + "state: memory\n"), ["refused M0419 rack.yaml"], {"one": 1}),
            Step(
                save("rack.yaml", TWO.replace("one: ./one.py", LIMITED)),
                ["swapped one", "changed +[] ~[one] -[]"],
                {"one": 1},
            ),
            Step(remove("rack.yaml"), ["refused M0113"], {"one": 1}),
            Step(save("rack.yaml", TWO), ["swapped one", "changed +[] ~[one] -[]"], {"one": 1}),
        ],
    ),
    "a text whose module comes later": (
        {},
        [
            Step(
                edit("rack.yaml", "  other", "  new: ./new.py\n  other"),
                ["failed new fetch M0201 rack.yaml:5:8", "refused M0201 rack.yaml:5:8"],
            ),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(save("new.py", "x = = 1\n"), ["failed new match M0302 new.py:1:5", "refused M0302 new.py:1:5"]),
            Step(save("new.py", gives(5)), ["swapped new", "changed +[new] ~[] -[]"], {"new": 5}),
            Step(save("new.py", gives(6)), ["swapped new"], {"new": 6}),
        ],
    ),
    "a contract": (
        CONTRACT,
        [
            # A slot that is used by it is held against it anew; others stay.
            Step(
                edit("contracts/pricing.wit", "item: string", "item: string, region: option<string>"),
                ["failed price match M0306 price.py:1", "refused M0306 price.py:1"],
                {("price", "unit_price", "a"): 1.0},
            ),
            Step(save("contracts/pricing.wit", PRICING), ["configuration.mended"], {("price", "unit_price", "a"): 1.0}),
            Step(
                save("contracts/pricing.wit", MORE),
                ["failed price match M0305 price.py", "refused M0305 price.py"],
                {("price", "unit_price", "a"): 1.0},
            ),
            # It comes into force when the module does what it says.
            Step(
                save("price.py", PRICE + "\ndef discount(item: str) -> float:\n    return 0.5\n"),
                ["swapped price", "changed +[] ~[price] -[]"],
                {("price", "discount", "a"): 0.5},
            ),
            Step(save("contracts/pricing.wit", MORE[:-2]), ["refused M0310 contracts/pricing.wit:6:32"]),
            Step(save("contracts/pricing.wit", MORE), ["configuration.mended"]),
            Step(save("contracts/beside.wit", "package a:b@1.0.0;\n"), []),
        ],
    ),
    "a contract that comes later": (
        {"price.py": PRICE},
        [
            Step(
                save("rack.yaml", CONTRACT["rack.yaml"]),
                ["refused M0310 contracts/pricing.wit"],
            ),
            Step(
                save("contracts/pricing.wit", PRICING),
                ["swapped price", "module.unloaded one", "changed +[price] ~[] -[one]"],
                {("price", "unit_price", "a"): 1.0},
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_what_is_saved_is_told_and_serves(modrack: Modrack, case: str) -> None:
    """Just that, and nothing else."""
    files, steps = CASES[case]
    with watching(modrack, files) as watched:
        for step in steps:
            watched.take(step)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_of_any_language_is_taken_when_it_is_saved(modrack: Modrack, language: str) -> None:
    """Written over while it serves, renamed over it, touched, broken and mended."""
    use = module(modrack, language)
    name = use.removeprefix("./")
    first = (modrack.folder / name).read_bytes()
    second = (modrack.folder / hundred(modrack, language).removeprefix("./")).read_bytes()
    add = ("lab", "add", 1, 2)
    with watching(modrack, {"rack.yaml": rack(f"lab: {use}")}) as watched:
        for step in [
            Step(nothing, [], {add: 3}),
            Step(save(name, second), ["swapped lab"], {add: 103}),
            Step(renamed(name, first), ["swapped lab"], {add: 3}),
            Step(touch(name), [], {add: 3}),
        ]:
            watched.take(step)
        save(name, b"\x7fELF" + first[: len(first) // 2])(modrack.folder)
        assert watched.told().startswith("failed lab match ")
        watched.tells_nothing_else()
        watched.take(Step(nothing, [], {add: 3}))
        watched.take(Step(save(name, second), ["swapped lab"], {add: 103}))
