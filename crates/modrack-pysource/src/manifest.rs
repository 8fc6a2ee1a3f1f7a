//! What a module says of itself: in `modrack.toml`, in `[tool.modrack]`, and in its own source.
//!
//! Files are addressed to modrack, so what is wrong in them is an error. Source is not: what cannot be read
//! there says nothing, except `plugin_version`, which is addressed to whoever loads plugins.

use std::path::{Path, PathBuf};

use modrack_core::contract::ContractRef;
use modrack_core::{Error, Instances, Manifest, Map, Place, Result, Takes, Text, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error;
use crate::facts::{Facts, Literal, ValueFact};
use crate::text::SourceText;
use crate::version;

/// Reads the manifest of the file at `path`: the nearest file that has one.
///
/// # Errors
/// [`modrack_core::Code::BadManifest`] with the line.
pub(crate) fn of_file(path: &Path, package: &[String]) -> Result<Manifest> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_init = stem == "__init__";
    if !is_init && let Some(file) = Toml::read(folder.join(format!("{stem}.modrack.toml")))? {
        return file.manifest(&[], None);
    }
    if let Some(file) = Toml::read(folder.join("modrack.toml"))? {
        return file.manifest(&[], (!is_init).then_some(&stem));
    }
    // A file in a package speaks for itself alone; a package's project may be one folder above, or two.
    let mut folders = vec![folder];
    if is_init && package.len() == 1 {
        let above = folder.parent();
        folders.extend(above);
        folders.extend(above.filter(|at| at.ends_with("src")).and_then(Path::parent));
    }
    for folder in folders {
        if let Some(file) = Toml::read(folder.join("pyproject.toml"))? {
            return file.manifest(&["tool", "modrack"], (!is_init).then_some(&stem));
        }
    }
    Ok(Manifest::default())
}

/// Adds what the source says where no file said it: the class first, then the module.
///
/// # Errors
/// [`modrack_core::Code::BadManifest`] for a `plugin_version` that is no version.
pub(crate) fn add_source(manifest: &mut Manifest, class: &[(&str, &ValueFact)], facts: &Facts) -> Result<()> {
    let module: Vec<(&str, &ValueFact)> = facts
        .names
        .iter()
        .filter_map(|(name, def)| match def {
            crate::facts::Def::Value(value) => Some((name, value)),
            _ => None,
        })
        .collect();
    for (values, is_class) in [(class, true), (&module, false)] {
        let find = |names: &[&str]| {
            names.iter().find_map(|wanted| {
                values.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
            })
        };
        let text = |names: &[&str]| {
            find(names).and_then(|value| match &value.literal {
                Literal::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                _ => None,
            })
        };
        if manifest.version.is_none() {
            if let Some(said) = text(&["plugin_version"]) {
                let place = find(&["plugin_version"]).and_then(|value| value.info.place.clone());
                manifest.version = Some(
                    version::parse(&said)
                        .ok_or_else(|| bad_version(&said, "plugin_version", place.unwrap_or_default()))?,
                );
            } else {
                manifest.version = text(&["__version__", "version"]).and_then(|said| version::parse(&said));
            }
        }
        if manifest.name.is_none() {
            manifest.name = text(&["plugin_name", "__plugin_name__"]);
            // Bare `name` is a class's own word; in a module it is one variable among others.
            if is_class && manifest.name.is_none() {
                manifest.name = text(&["name"]);
            }
        }
        if manifest.author.is_none() {
            manifest.author = text(&["plugin_author", "__author__", "author"]);
        }
        if manifest.description.is_none() {
            manifest.description = text(&["plugin_description", "__description__", "description"]);
        }
        if manifest.requires.is_empty()
            && let Some(value) = find(&["plugin_requires", "__requires__", "requires"])
        {
            manifest.requires = match &value.literal {
                Literal::Text(one) => vec![one.clone()],
                Literal::Texts(all) => all.clone(),
                Literal::Other => Vec::new(),
            };
        }
        if manifest.contract.is_none() {
            manifest.contract = text(&["plugin_contract", "__contract__"]);
        }
        if manifest.formats.is_empty()
            && let Some(value) = find(&["plugin_formats", "formats"])
            && let Literal::Texts(all) = &value.literal
        {
            manifest.formats.clone_from(all);
        }
    }
    Ok(())
}

/// What a stage of a pipeline is given, by the words of a manifest: the library's own names go as well.
pub(crate) fn takes(word: &str) -> Option<Takes> {
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

/// A file of TOML.
struct Toml {
    path: PathBuf,
    source: SourceText,
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

impl Toml {
    fn read(path: PathBuf) -> Result<Option<Self>> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(why) if why.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            Err(why) => {
                let message = format!("`{}` cannot be read: {why}", name(&path));
                return Err(error::manifest(Place::file(path), message, "See to it that it may be read"));
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Self { path, source: SourceText::new(text) })),
            Err(_) => {
                let message = format!("`{}` is not UTF-8 text", name(&path));
                Err(error::manifest(Place::file(path), message, "Save it as UTF-8"))
            }
        }
    }

    fn place(&self, offset: usize, key: &str) -> Place {
        let (line, column) = self.source.line_column(u32::try_from(offset).unwrap_or(u32::MAX));
        Place {
            file: self.path.clone(),
            line: Some(line),
            column: Some(column),
            key: (!key.is_empty()).then(|| key.to_owned()),
        }
    }

    fn bad(&self, offset: usize, key: &str, message: String, hint: impl Into<String>) -> Error {
        error::manifest(self.place(offset, key), message, hint)
    }

    /// The manifest in the table that `inside` leads to. Files of one folder share its `modrack.toml`: its
    /// table `[modules.STEM]` speaks for one of them, over what the file says for all.
    fn manifest(&self, inside: &[&str], stem: Option<&String>) -> Result<Manifest> {
        let root = DeTable::parse(&self.source.text).map_err(|why| {
            let at = why.span().map_or(0, |span| span.start);
            let said =
                format!("`{}` is not valid TOML: {}", name(&self.path), why.message().replace('\n', ", "));
            self.bad(at, "", said, "Mend it; keys are `name = \"value\"`, one a line")
        })?;
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
            modules.iter().find(|(name, _)| name.get_ref() == stem.as_str()).map(|(_, own)| (stem, own))
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

    fn fill(&self, manifest: &mut Manifest, table: &DeTable<'_>, prefix: &str) -> Result<()> {
        for (key, value) in table {
            let word = key.get_ref().as_ref();
            let full = join(prefix, word);
            match word {
                "name" => manifest.name = Some(self.text(value, &full)?),
                "version" => {
                    let said = self.text(value, &full)?;
                    let place = self.place(value.span().start, &full);
                    manifest.version =
                        Some(version::parse(&said).ok_or_else(|| bad_version(&said, &full, place))?);
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
                    manifest.instances = Some(instances(&said).ok_or_else(|| {
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

fn instances(text: &str) -> Option<Instances> {
    Some(match text {
        "shared" => Instances::Shared,
        "one" => Instances::One,
        "per-call" => Instances::PerCall,
        _ => {
            let count = text.strip_prefix("pool(")?.strip_suffix(')')?.trim().parse().ok()?;
            if count == 0 {
                return None;
            }
            Instances::Pool(count)
        }
    })
}

fn bad_version(said: &str, key: &str, place: Place) -> Error {
    error::manifest(
        place,
        format!("`{key}`: `{said}` is not a version"),
        "Write it as numbers: `1.2.0`, or `1.2.0rc1` before a release",
    )
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
