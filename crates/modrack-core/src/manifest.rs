//! What a module says of itself in TOML: beside a Python module, or inside of a component or a library.
//!
//! The text is given in; nothing here reads a file. What is wrong in it is an error with its line, because the
//! text is addressed to modrack.

mod embedded;
mod version;

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::contract::ContractRef;
use crate::plan::Lines;
use crate::{Code, Error, Instances, Manifest, Map, Phase, Place, Result, Takes, Text, Value};

pub use embedded::Embedded;
pub use version::parse as version;

/// A text of TOML with a manifest in it.
pub struct Document<'t> {
    file: &'t Path,
    text: &'t str,
    lines: Lines<'t>,
    embedded: bool,
}

const KEYS: &[&str] = &[
    "author",
    "contract",
    "description",
    "formats",
    "function",
    "instances",
    "name",
    "requires",
    "takes",
    "version",
];

/// Keys of their own that a manifest inside of a module has; [`Embedded`] reads them.
const EMBEDDED_KEYS: &[&str] = &["attributes", "params", "wit"];

/// What a stage of a pipeline is given, by the words of a manifest: the library's own names go as well.
pub fn takes(word: &str) -> Option<Takes> {
    Some(match word {
        "row" | "dict" => Takes::Row,
        "batch" | "RecordBatch" | "pyarrow.RecordBatch" => Takes::Batch,
        "column" | "list" => Takes::Column,
        "rows" | "list[dict]" => Takes::Rows,
        "table" | "pyarrow.Table" => Takes::Table,
        "pandas" | "pandas.DataFrame" => Takes::Pandas,
        "polars" | "polars.DataFrame" => Takes::Polars,
        _ => return None,
    })
}

/// A version that cannot be read as one.
pub fn bad_version(said: &str, key: &str, place: Place) -> Error {
    bad(
        place,
        format!("`{key}`: `{said}` is not a version"),
        "Write it as numbers: `1.2.0`, or `1.2.0rc1` before a release",
    )
}

impl<'t> Document<'t> {
    /// The text of the file at `file`, which places name.
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, lines: Lines::new(text), embedded: false }
    }

    /// The manifest in the table that `inside` leads to. Files of one folder share its `modrack.toml`: its
    /// table `[modules.STEM]` speaks for one of them, over what the file says for all.
    ///
    /// # Errors
    /// [`Code::BadManifest`] with the line.
    pub fn manifest(&self, inside: &[&str], stem: Option<&str>) -> Result<Manifest> {
        let root = self.root()?;
        let mut table = root.get_ref();
        for key in inside {
            match table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.get_ref()) {
                Some(DeValue::Table(inner)) => table = inner,
                _ => return Ok(Manifest::default()),
            }
        }
        let mut manifest = Manifest::default();
        let prefix = inside.join(".");
        let own = stem.and_then(|stem| {
            let modules = table.iter().find(|(name, _)| name.get_ref() == "modules")?.1.get_ref();
            let DeValue::Table(modules) = modules else { return None };
            modules.iter().find(|(name, _)| name.get_ref() == stem).map(|(_, own)| (stem, own))
        });
        self.fill(&mut manifest, table, &prefix)?;
        if let Some((stem, own)) = own {
            let key = join(&prefix, &format!("modules.{stem}"));
            let DeValue::Table(inner) = own.get_ref() else {
                return Err(self.wrong_type(own, &key, "a table"));
            };
            self.fill(&mut manifest, inner, &key)?;
        }
        Ok(manifest)
    }

    fn root(&self) -> Result<Spanned<DeTable<'t>>> {
        DeTable::parse(self.text).map_err(|why| {
            let at = why.span().map_or(0, |span| span.start);
            let what = match self.embedded {
                true => format!("The manifest in `{}`", name(self.file)),
                false => format!("`{}`", name(self.file)),
            };
            let said = format!("{what} is not valid TOML: {}", why.message().replace('\n', ", "));
            self.bad(at, "", said, "Mend it; keys are `name = \"value\"`, one a line")
        })
    }

    fn place(&self, offset: usize, key: &str) -> Place {
        let (line, column) = self.lines.line_column(offset);
        Place {
            file: self.file.to_owned(),
            // A line of what stands inside of a binary file is a line that nobody can look at.
            line: (!self.embedded).then_some(line),
            column: (!self.embedded).then_some(column),
            key: (!key.is_empty()).then(|| key.to_owned()),
        }
    }

    fn bad(&self, offset: usize, key: &str, message: String, hint: impl Into<String>) -> Error {
        bad(self.place(offset, key), message, hint)
    }

    fn fill(&self, manifest: &mut Manifest, table: &DeTable<'_>, prefix: &str) -> Result<()> {
        for (key, value) in table {
            let word = key.get_ref().as_ref();
            let full = join(prefix, word);
            match word {
                "name" => manifest.name = Some(self.text(value, &full)?),
                "version" => {
                    let said = self.text(value, &full)?;
                    let place = self.place(value.span().start, &full);
                    manifest.version = Some(version(&said).ok_or_else(|| bad_version(&said, &full, place))?);
                }
                "author" => manifest.author = Some(self.text(value, &full)?),
                "description" => manifest.description = Some(self.text(value, &full)?),
                "contract" => {
                    let said = self.text(value, &full)?;
                    ContractRef::parse(&said).map_err(|why| {
                        let hint =
                            why.hint_text().unwrap_or("Write its name and version: `transform@1`").to_owned();
                        self.bad(
                            value.span().start,
                            &full,
                            format!("`{full}`: `{said}` is not a contract"),
                            hint,
                        )
                    })?;
                    manifest.contract = Some(said);
                }
                "function" => manifest.function = Some(self.text(value, &full)?),
                "requires" => manifest.requires = self.texts(value, &full)?,
                "formats" => manifest.formats = self.texts(value, &full)?,
                "instances" => {
                    let said = self.text(value, &full)?;
                    manifest.instances = Some(Instances::parse(&said).ok_or_else(|| {
                        let hint = "It is one of `shared`, `one`, `pool(4)` and `per-call`";
                        self.bad(value.span().start, &full, format!("`{full}` cannot be `{said}`"), hint)
                    })?);
                }
                "takes" => {
                    let said = self.text(value, &full)?;
                    manifest.takes = Some(takes(&said).ok_or_else(|| {
                        let hint =
                            "It is one of `row`, `batch`, `column`, `rows`, `table`, `pandas` and `polars`";
                        self.bad(value.span().start, &full, format!("`{full}` cannot be `{said}`"), hint)
                    })?);
                }
                "modules" if matches!(value.get_ref(), DeValue::Table(_)) => {}
                own if self.embedded && EMBEDDED_KEYS.contains(&own) => {}
                other => {
                    // A key that nobody knows is kept; one that is nearly known is a slip of the finger.
                    if let Some(near) = slip(other) {
                        let hint = format!("Did you mean `{near}`?");
                        return Err(self.bad(
                            key.span().start,
                            &full,
                            format!("No manifest has a key `{full}`"),
                            hint,
                        ));
                    }
                    manifest.other.insert(Text::from(other), self.value(value, &full)?);
                }
            }
        }
        Ok(())
    }

    fn wrong_type(&self, value: &Spanned<DeValue<'_>>, key: &str, wanted: &str) -> Error {
        let given = value.get_ref().type_str();
        let message = format!("`{key}` must be {wanted}, but is {given}");
        self.bad(value.span().start, key, message, format!("Give `{key}` {wanted}"))
    }

    fn text(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(self.wrong_type(value, key, "text in quotes")),
        }
    }

    fn texts(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<Vec<String>> {
        match value.get_ref() {
            DeValue::String(text) => Ok(vec![text.to_string()]),
            DeValue::Array(items) => items.iter().map(|item| self.text(item, key)).collect(),
            _ => Err(self.wrong_type(value, key, "a list of texts")),
        }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<Value> {
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::Text(text.as_ref().into()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Int(number),
                Err(_) => return Err(self.wrong_type(value, key, "a whole number of 64 bits")),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => return Err(self.wrong_type(value, key, "a number")),
            },
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(time) => Value::from(time.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.value(item, key)).collect::<Result<_>>()?)
            }
            DeValue::Table(table) => {
                let mut map = Map::new();
                for (name, value) in table {
                    let name = name.get_ref().as_ref();
                    map.insert(Text::from(name), self.value(value, &join(key, name))?);
                }
                Value::from(map)
            }
        })
    }
}

/// The known key that an unknown one differs from by a letter.
fn slip(key: &str) -> Option<&'static str> {
    KEYS.iter().copied().find(|known| strsim::damerau_levenshtein(known, key) == 1)
}

fn bad(place: Place, message: String, hint: impl Into<String>) -> Error {
    Error::new(Code::BadManifest, message).phase(Phase::Check).place(place).hint(hint)
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
