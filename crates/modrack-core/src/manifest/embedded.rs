//! The manifest inside of a module that is a binary file: the keys of every manifest, and beside them what
//! the file cannot say otherwise: its functions as WIT, the parameters of its constructor, its attributes.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Document, Lines, bad, join};
use crate::contract::{Signatures, signatures};
use crate::{
    AttributeInfo, Error, FunctionInfo, Manifest, Map, Param, ParamKind, Place, Result, Signature, Text, Type,
};

/// What a module says of itself in a section of its own.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// The keys of every manifest.
    pub manifest: Manifest,
    /// The module's documentation: that of its WIT package.
    pub doc: Option<String>,
    /// The functions that `world module` exports; none when there is no `wit`.
    pub functions: Option<Vec<FunctionInfo>>,
    /// The parameters under `params`; none when there is no such table.
    pub constructor: Option<Signature>,
    /// What parameters that are not given are.
    pub defaults: Map,
    /// The attributes under `attributes`.
    pub attributes: Vec<AttributeInfo>,
}

impl Embedded {
    /// Reads the text that stands in the file at `file`.
    ///
    /// # Errors
    /// [`crate::Code::BadManifest`] with the key.
    pub fn read(file: &Path, text: &str) -> Result<Self> {
        let document = Document { file, text, lines: Lines::new(text), embedded: true };
        let root = document.root()?;
        let table = root.get_ref();
        let mut said = Self::default();
        document.fill(&mut said.manifest, table, "")?;
        if let Some(wit) = get(table, "wit") {
            let Signatures { doc, functions } = document.signatures(wit)?;
            said.doc = doc;
            said.functions = Some(functions);
        }
        if let Some(params) = get(table, "params") {
            said.constructor = Some(document.params(params, &mut said.defaults)?);
        }
        if let Some(attributes) = get(table, "attributes") {
            for (name, key, table) in document.tables(attributes, "attributes")? {
                let annotation = get(table, "type").map(|ty| document.ty(ty, &key)).transpose()?;
                said.attributes.push(AttributeInfo {
                    name,
                    annotation: annotation.map(|ty| ty.to_string()),
                    ..AttributeInfo::default()
                });
            }
        }
        Ok(said)
    }
}

impl Document<'_> {
    fn signatures(&self, wit: &Spanned<DeValue<'_>>) -> Result<Signatures> {
        let DeValue::String(text) = wit.get_ref() else {
            return Err(self.wrong_type(wit, "wit", "text in quotes"));
        };
        signatures(text).map_err(|why| self.wit_error(&why, "wit"))
    }

    fn params(&self, params: &Spanned<DeValue<'_>>, defaults: &mut Map) -> Result<Signature> {
        let mut signature = Signature { result: Type::Any, ..Signature::default() };
        for (name, key, table) in self.tables(params, "params")? {
            let mut param = Param { kind: ParamKind::Named, ..Param::new(name, Type::Any) };
            for (word, value) in table {
                let full = join(&key, word.get_ref());
                match word.get_ref().as_ref() {
                    "type" => param.ty = self.ty(value, &key)?,
                    "default" => {
                        param.default = Some(self.text[value.span()].to_owned());
                        defaults.insert(Text::from(param.name.as_str()), self.value(value, &full)?);
                    }
                    "doc" => drop(self.text(value, &full)?),
                    _ => {
                        let message = format!("A parameter has no key `{full}`");
                        return Err(self.bad(
                            word.span().start,
                            &full,
                            message,
                            "It has `type`, `default` and `doc`",
                        ));
                    }
                }
            }
            // What may be nothing need not be given.
            if matches!(param.ty, Type::Option(_)) && param.default.is_none() {
                param.default = Some("null".to_owned());
            }
            signature.params.push(param);
        }
        Ok(signature)
    }

    /// The tables of a table, in the order in which they are written: name, full key, table.
    fn tables<'v, 't>(
        &self,
        value: &'v Spanned<DeValue<'t>>,
        key: &str,
    ) -> Result<Vec<(String, String, &'v DeTable<'t>)>> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.wrong_type(value, key, "a table"));
        };
        let mut tables = Vec::new();
        for (name, value) in table {
            let full = join(key, name.get_ref());
            let DeValue::Table(inner) = value.get_ref() else {
                return Err(self.wrong_type(value, &full, "a table"));
            };
            tables.push((name.span().start, name.get_ref().to_string(), full, inner));
        }
        tables.sort_by_key(|(at, ..)| *at);
        Ok(tables.into_iter().map(|(_, name, full, inner)| (name, full, inner)).collect())
    }

    /// A type in WIT's words: `s64`, `option<string>`, `list<f64>`, `value`, `table`.
    fn ty(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<Type> {
        let full = join(key, "type");
        let word = self.text(value, &full)?;
        if let Some(known) = simple(&word) {
            return Ok(known);
        }
        let is_type = word.chars().all(|c| c.is_ascii_alphanumeric() || "<>,-_% ".contains(c));
        let wit = format!(
            "package a:module;\nworld module {{ use modrack:types/values@1.0.0.{{value, table}}; \
             export f: func(p: {word}); }}"
        );
        let read = if is_type { signatures(&wit).ok() } else { None };
        let ty = read.and_then(|mut read| read.functions.pop()?.signature.params.pop());
        ty.map(|param| param.ty).ok_or_else(|| {
            let message = format!("`{full}`: `{word}` is not a type of WIT");
            self.bad(
                value.span().start,
                &full,
                message,
                "Write it as `s64`, `string`, `option<f64>`, `value`",
            )
        })
    }

    /// A failure of WIT, told as one of the file that the WIT stands in.
    fn wit_error(&self, why: &Error, key: &str) -> Error {
        let line = why.place_of().and_then(|place| place.line);
        let line = line.map_or(String::new(), |line| format!(" (line {line} of it)"));
        let place = Place { file: self.file.to_owned(), key: Some(key.to_owned()), ..Place::default() };
        let hint = why.hint_text().unwrap_or("Export the functions from `world module`").to_owned();
        bad(place, format!("The module's WIT is wrong{line}: {}", why.message()), hint)
    }
}

/// The types that need no parser.
fn simple(word: &str) -> Option<Type> {
    Some(match word {
        "bool" => Type::Bool,
        "u8" | "u16" | "u32" | "u64" | "s8" | "s16" | "s32" | "s64" => Type::Int,
        "f32" | "f64" => Type::Float,
        "char" | "string" => Type::Text,
        "list<u8>" => Type::Bytes,
        "value" => Type::Any,
        "table" => Type::Table,
        _ => return None,
    })
}

fn get<'v, 't>(table: &'v DeTable<'t>, key: &str) -> Option<&'v Spanned<DeValue<'t>>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}
