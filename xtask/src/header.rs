//! `include/modrack.h`: the C interface of native modules, made from the Rust files that say it.
//!
//! Only the few forms in which those files are written are read: constants that are numbers, structures and unions
//! marked `#[repr(C)]`, and types of functions. Anything else is an error rather than left out in silence.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::cargo::root;

const FOLDER: &str = "crates/modrack-abi/src";
const FILES: &[&str] = &["lib.rs", "value.rs", "arrow.rs", "host.rs", "module.rs"];

/// Structures of Arrow, which other headers define too.
const ARROW: &[&str] = &["ArrowSchema", "ArrowArray"];

/// A declaration, with the lines of its documentation.
struct Item {
    doc: Vec<String>,
    kind: Kind,
}

enum Kind {
    Const { name: String, value: String },
    Struct { name: String, word: &'static str, fields: Vec<(Vec<String>, String, String)> },
    Function { name: String, rust: String },
}

/// The text of the header.
pub(crate) fn text() -> Result<String> {
    let mut items = Vec::new();
    for file in FILES {
        let path = root().join(FOLDER).join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        items.extend(items_of(&text).with_context(|| path.display().to_string())?);
    }
    let helpers = root().join(FOLDER).join("helpers.h");
    let helpers = fs::read_to_string(&helpers).with_context(|| helpers.display().to_string())?;
    let mut out = String::from(
        "/* The C interface between modrack and native modules: docs/native-modules.md says its rules.\n \
         * Made from crates/modrack-abi by `cargo xtask codegen`; change it there. */\n\n\
         #ifndef MODRACK_H\n#define MODRACK_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
    );
    for item in &items {
        if let Kind::Const { name, value } = &item.kind {
            writeln!(out, "{}#define {name} {value}", comment(&item.doc, ""))?;
        }
    }
    out.push('\n');
    for item in &items {
        if let Kind::Struct { name, word, .. } = &item.kind
            && !ARROW.contains(&name.as_str())
        {
            writeln!(out, "typedef {word} {0} {0};", c_name(name))?;
        }
    }
    out.push_str("struct ArrowSchema;\nstruct ArrowArray;\n");
    for item in &items {
        if let Kind::Function { name, rust } = &item.kind {
            writeln!(out, "\n{}{}", comment(&item.doc, ""), function(name, rust)?)?;
        }
    }
    // What is held by value comes before what holds it.
    for item in in_order(&items) {
        structure(&mut out, item)?;
    }
    write!(out, "\n{helpers}\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n")?;
    Ok(out)
}

fn structure(out: &mut String, item: &Item) -> Result<()> {
    let Kind::Struct { name, word, fields } = &item.kind else { return Ok(()) };
    let is_arrow = ARROW.contains(&name.as_str());
    if name == ARROW[0] {
        out.push_str("\n#ifndef ARROW_C_DATA_INTERFACE\n#define ARROW_C_DATA_INTERFACE\n");
    }
    let c_name = if is_arrow { name.clone() } else { c_name(name) };
    write!(out, "\n{}{word} {c_name} {{\n", comment(&item.doc, ""))?;
    for (doc, field, ty) in fields {
        writeln!(out, "{}    {};", comment(doc, "    "), declaration(ty, field)?)?;
    }
    out.push_str("};\n");
    if name == ARROW[1] {
        out.push_str("\n#endif\n");
    }
    Ok(())
}

/// The structures, each behind those that it holds by value.
fn in_order(items: &[Item]) -> Vec<&Item> {
    let mut left: Vec<&Item> = items.iter().filter(|item| matches!(item.kind, Kind::Struct { .. })).collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|item| item.name().to_owned()).collect();
        let holds = |item: &&Item| match &item.kind {
            Kind::Struct { fields, .. } => fields.iter().any(|(_, _, ty)| names.contains(ty)),
            _ => false,
        };
        let (wait, now): (Vec<_>, Vec<_>) = left.into_iter().partition(holds);
        if now.is_empty() {
            return ordered;
        }
        ordered.extend(now);
        left = wait;
    }
    ordered
}

impl Item {
    fn name(&self) -> &str {
        match &self.kind {
            Kind::Const { name, .. } | Kind::Struct { name, .. } | Kind::Function { name, .. } => name,
        }
    }
}

/// Reads the declarations of a file.
fn items_of(text: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut doc: Vec<String> = Vec::new();
    let mut is_c = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("///") {
            doc.push(words.trim().to_owned());
            continue;
        }
        if line == "#[repr(C)]" {
            is_c = true;
            continue;
        }
        if line.starts_with("#[") {
            continue;
        }
        let doc = std::mem::take(&mut doc);
        if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(": ").context("a constant without a type")?;
            let (ty, value) = rest.split_once(" = ").context("a constant without a value")?;
            if ty != "&str" {
                items.push(Item { doc, kind: constant(name, ty, value.trim_end_matches(';'))? });
            }
        } else if let Some(rest) = line.strip_prefix("pub type ") {
            let mut rust = rest.to_owned();
            while !rust.ends_with(';') {
                rust.push_str(lines.next().context("a type that does not end")?.trim());
            }
            let (name, rust) = rust.split_once('=').context("a type without a value")?;
            let (name, rust) = (name.trim().to_owned(), rust.trim().trim_end_matches(';').to_owned());
            items.push(Item { doc, kind: Kind::Function { name, rust } });
        } else if is_c && let Some(rest) = line.strip_prefix("pub ") {
            let (word, rest) = rest.split_once(' ').context("a structure without a name")?;
            let word = if word == "union" { "union" } else { "struct" };
            let name = rest.trim_end_matches(" {").to_owned();
            let fields = fields(&mut lines)?;
            items.push(Item { doc, kind: Kind::Struct { name, word, fields } });
        }
        is_c = false;
    }
    Ok(items)
}

fn fields<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Result<Vec<(Vec<String>, String, String)>> {
    let (mut fields, mut doc) = (Vec::new(), Vec::new());
    for line in lines {
        let line = line.trim();
        if line == "}" {
            return Ok(fields);
        }
        if let Some(words) = line.strip_prefix("///") {
            doc.push(words.trim().to_owned());
        } else if let Some(field) = line.strip_prefix("pub ") {
            let (name, ty) = field.split_once(": ").context("a field without a type")?;
            fields.push((std::mem::take(&mut doc), name.to_owned(), ty.trim_end_matches(',').to_owned()));
        } else {
            bail!("`{line}` is not a field");
        }
    }
    bail!("a structure that does not end")
}

fn constant(name: &str, ty: &str, value: &str) -> Result<Kind> {
    let value = match (ty, value) {
        (_, "u64::MAX") => "UINT64_MAX".to_owned(),
        ("u64", value) => format!("UINT64_C({value})"),
        ("u16" | "u32" | "i32", value) if value.parse::<u32>().is_ok() => value.to_owned(),
        _ => bail!("`{name}` is not a number"),
    };
    // A status is what a function returns: `MODRACK_OK`.
    let name = format!("MODRACK_{}", name.strip_prefix("STATUS_").unwrap_or(name));
    Ok(Kind::Const { name, value })
}

/// `unsafe extern "C" fn(a: T) -> R` as a type of C.
fn function(name: &str, rust: &str) -> Result<String> {
    let (params, result) = parts(rust)?;
    Ok(format!("typedef {result}(*{})({params});", c_name(name)))
}

/// The parameters and the result of a type of functions, in C's words.
fn parts(rust: &str) -> Result<(String, String)> {
    let rest = rust
        .strip_prefix("unsafe extern \"C\" fn(")
        .with_context(|| format!("`{rust}` is not a function"))?;
    let (params, result) = match rest.rsplit_once(") -> ") {
        Some((params, result)) => (params, declaration(result, "")?),
        None => (rest.strip_suffix(')').context("a function that does not end")?, "void ".to_owned()),
    };
    let params: Result<Vec<String>> = params
        .split(',')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(|param| {
            let (name, ty) = param.split_once(": ").context("a parameter without a type")?;
            declaration(ty, name)
        })
        .collect();
    let result = if result.ends_with(['*', ' ']) { result } else { result + " " };
    Ok((params?.join(", "), result))
}

/// `name` declared with a type of Rust, in C.
fn declaration(ty: &str, name: &str) -> Result<String> {
    if let Some(inner) = ty.strip_prefix("Option<").and_then(|ty| ty.strip_suffix('>')) {
        if inner.starts_with("unsafe") {
            let (params, result) = parts(inner)?;
            return Ok(format!("{result}(*{name})({params})"));
        }
        return declaration(inner, name);
    }
    if let Some(inner) = ty.strip_prefix("*mut ") {
        return declaration(inner, &format!("*{name}"));
    }
    if let Some(inner) = ty.strip_prefix("*const ") {
        // A pointer that is not written through, to a pointer or to a value.
        return match inner.starts_with('*') {
            true => declaration(inner, &format!("*const *{name}")),
            false => Ok(format!("const {}", declaration(inner, &format!("*{name}"))?)),
        };
    }
    let c = match ty {
        "u8" => "uint8_t".to_owned(),
        "u16" => "uint16_t".to_owned(),
        "u32" => "uint32_t".to_owned(),
        "u64" => "uint64_t".to_owned(),
        "i32" => "int32_t".to_owned(),
        "i64" => "int64_t".to_owned(),
        "f64" => "double".to_owned(),
        "usize" => "size_t".to_owned(),
        "c_void" => "void".to_owned(),
        "c_char" => "char".to_owned(),
        arrow if ARROW.contains(&arrow) => format!("struct {arrow}"),
        own if own.chars().all(char::is_alphanumeric) => c_name(own),
        other => bail!("`{other}` has no form in C"),
    };
    Ok(format!("{c} {name}").trim_end().to_owned())
}

/// `FunctionFn` as `modrack_function_fn`.
fn c_name(name: &str) -> String {
    let mut c = String::from("modrack");
    for letter in name.chars() {
        if letter.is_uppercase() {
            c.push('_');
        }
        c.extend(letter.to_lowercase());
    }
    c
}

fn comment(doc: &[String], margin: &str) -> String {
    if doc.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = doc.iter().map(|line| line.replace(['`', '[', ']'], "")).collect();
    let text = lines.join(&format!("\n{margin} * "));
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{margin}/* {} */\n", text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_rust_are_written_in_c() {
        for (rust, c) in [
            ("u32", "uint32_t x"),
            ("*const Value", "const modrack_value *x"),
            ("*mut *mut c_void", "void **x"),
            ("*mut *const c_void", "const void **x"),
            ("Option<ReleaseFn>", "modrack_release_fn x"),
            ("Option<unsafe extern \"C\" fn(a: *mut ArrowArray)>", "void (*x)(struct ArrowArray *a)"),
        ] {
            assert_eq!(declaration(rust, "x").expect("it has a form"), c);
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(items_of("pub const A: f32 = 1.5;").is_err());
        assert!(items_of("#[repr(C)]\npub struct A {\n    b: u32,\n}").is_err());
    }
}
