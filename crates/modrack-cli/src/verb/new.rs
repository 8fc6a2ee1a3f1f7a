//! `modrack new`: a rack that runs, or a module with a test. What is there already is never touched.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use modrack_core::{Code, Error, Place, Result};
use serde_json::json;

use crate::args::New;
use crate::output::{Outcome, Output, reason};
use crate::report::near;

/// Makes what was asked for, and says what to try next.
pub(crate) fn run(what: &New, output: &mut Output) -> Outcome {
    match what {
        New::Rack { name } => rack(name, output),
        New::Python { name } => python(name, output),
        New::Rust { name, wasm, sdk } => rust(name, *wasm, sdk.as_deref(), output),
    }
}

/// A file to be made: where, what it holds, and what it is in a few words.
struct Made<'a> {
    path: PathBuf,
    text: String,
    what: &'a str,
}

fn rack(folder: &Path, output: &mut Output) -> Outcome {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()).filter(|name| !name.is_empty()) else {
        let message = format!("`{}` does not name a folder", folder.display());
        return Err(Error::new(Code::Usage, message).hint("Give the name of a folder to make").into());
    };
    let is_taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if is_taken {
        return Err(taken(folder, "Choose another name, or empty the folder").into());
    }
    let made = [
        ("rack.yaml", include_str!("../template/rack.yaml"), "the rack: its slots and pipelines"),
        ("modules/total.py", include_str!("../template/total.py"), "a module"),
        ("data/orders.csv", include_str!("../template/orders.csv"), "data to try it on"),
        ("README.md", include_str!("../template/README.md"), "how to go on"),
        (".gitignore", "/.modrack/\n/out/\n__pycache__/\n", ""),
    ];
    let made: Vec<Made<'_>> = made
        .into_iter()
        .map(|(path, text, what)| Made { path: folder.join(path), text: text.replace("{name}", name), what })
        .collect();
    write(&made)?;
    let next = [
        format!("cd {}", shell_word(folder)),
        "modrack check".to_owned(),
        "modrack run".to_owned(),
        r#"modrack call total _ '{"price": 2.5, "quantity": 4}'"#.to_owned(),
    ];
    tell(&format!("Made the rack `{name}`"), &made, &next, output)
}

fn python(name: &Path, output: &mut Output) -> Outcome {
    let written = name.to_string_lossy();
    let is_path = written.contains('/') || name.extension().is_some_and(|ending| ending == "py");
    let stem = name.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().replace('-', "_");
    let is_name = stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        let message = format!("`{written}` does not name a Python module");
        return Err(Error::new(Code::Usage, message)
            .hint("Start with a letter, then use letters, digits and `_`")
            .into());
    }
    let path = if is_path {
        name.with_file_name(format!("{stem}.py"))
    } else {
        let folder = if Path::new("modules").is_dir() { Path::new("modules") } else { Path::new("") };
        folder.join(format!("{stem}.py"))
    };
    let class = class_name(&stem);
    let text = include_str!("../template/module.py").replace("{Name}", &class);
    let use_text = match path.is_absolute() {
        true => path.display().to_string(),
        false => format!("./{}", path.display()),
    };
    let made = [Made { path: path.clone(), text, what: "the module" }];
    write(&made)?;
    let word = shell_word(Path::new(&use_text));
    let next = [
        format!("modrack inspect {word}"),
        format!(r#"modrack call {word} _ '{{"text": "  Hello "}}'"#),
        format!("python3 -m doctest {}", shell_word(&path)),
    ];
    let title = format!("Made the module `{stem}`; a slot takes it with `use: {use_text}:{class}`");
    tell(&title, &made, &next, output)
}

fn rust(folder: &Path, wasm: bool, sdk: Option<&Path>, output: &mut Output) -> Outcome {
    let package = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_name = package.starts_with(|c: char| c.is_ascii_lowercase())
        && package.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    // Names that the package would share with what it depends on, or with what cargo makes.
    if !is_name || ["modrack", "test", "core", "std", "build", "deps", "examples"].contains(&package) {
        let message = format!("`{}` does not name a Rust package", folder.display());
        return Err(Error::new(Code::Usage, message)
            .hint("Start with a small letter, then use small letters, digits, `-` and `_`")
            .into());
    }
    let (dependency, place) = kit(sdk)?;
    let name = package.replace('-', "_");
    let library = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let made = [
        ("Cargo.toml", include_str!("../template/rust/Cargo.toml.txt"), "the package; it names the kit"),
        ("src/lib.rs", include_str!("../template/rust/lib.rs"), "the module, with its test"),
        ("README.md", include_str!("../template/rust/README.md"), "how to go on"),
        (".gitignore", "/target/\n", ""),
    ];
    let fill = |text: &str| {
        text.replace("{package}", package)
            .replace("{crate}", &name)
            .replace("{Name}", &class_name(&name))
            .replace("{library}", &library)
            .replace("{sdk}", &dependency)
            .replace("{where}", &place)
    };
    let made: Vec<Made<'_>> = made
        .into_iter()
        .map(|(path, text, what)| Made { path: folder.join(path), text: fill(text), what })
        .collect();
    write(&made)?;
    let mut next = vec![format!("cd {}", shell_word(folder)), "cargo test".to_owned()];
    let built = if wasm {
        next.push("rustup target add wasm32-wasip2".to_owned());
        next.push("cargo build --profile component --target wasm32-wasip2".to_owned());
        format!("target/wasm32-wasip2/component/{name}.wasm")
    } else {
        next.push("cargo build".to_owned());
        format!("target/debug/{library}")
    };
    next.push(format!(r#"modrack call ./{built} _ '{{"text": "  Hello "}}'"#));
    let use_text = match folder.is_absolute() {
        true => folder.join(built).display().to_string(),
        false => format!("./{}", folder.join(built).display()),
    };
    let title = format!("Made the package `{package}`; built, a slot takes it with `use: {use_text}`");
    tell(&title, &made, &next, output)
}

/// How a package names the kit: by the path that is given, by that of the source which this command was built from
/// where it is still there, else by the version that is published.
fn kit(given: Option<&Path>) -> Result<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("modrack-sdk");
    let path = match given {
        Some(path) if path.join("Cargo.toml").is_file() => {
            Some(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
        }
        Some(path) => {
            let message = format!("There is no `Cargo.toml` in `{}`", path.display());
            return Err(Error::new(Code::Usage, message)
                .hint("Give the folder `crates/modrack-sdk` of modrack's source"));
        }
        None => source.join("Cargo.toml").is_file().then_some(source),
    };
    let version = env!("CARGO_PKG_VERSION");
    Ok(match path {
        Some(path) => {
            let shown = path.display().to_string().replace('\\', "/");
            let place = format!(
                "by its path, `{shown}`; where it is published, `version = \"{version}\"` takes its place"
            );
            (format!("path = \"{shown}\""), place)
        }
        None => (format!("version = \"{version}\""), "by its version, from crates.io".to_owned()),
    })
}

/// Writes the files, or none of them where one is there already.
fn write(made: &[Made<'_>]) -> Result<()> {
    for file in made {
        if fs::symlink_metadata(&file.path).is_ok() {
            return Err(taken(&file.path, "Choose another name, or remove the file"));
        }
    }
    for file in made {
        let failed = |error: io::Error| {
            Error::new(
                Code::SinkUnwritable,
                format!("`{}` cannot be written: {}", file.path.display(), reason(&error)),
            )
            .place(Place::file(&file.path))
        };
        if let Some(folder) = file.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut opened = OpenOptions::new().write(true).create_new(true).open(&file.path).map_err(failed)?;
        opened.write_all(file.text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn tell(title: &str, made: &[Made<'_>], next: &[String], output: &mut Output) -> Outcome {
    if output.json {
        let files: Vec<String> = made.iter().map(|file| near(&file.path).display().to_string()).collect();
        output.print_json(&json!({ "made": files, "next": next }))?;
        return Ok(0);
    }
    let paint = output.paint;
    let shown: Vec<(String, &str)> = made
        .iter()
        .filter(|file| !file.what.is_empty())
        .map(|file| (near(&file.path).display().to_string(), file.what))
        .collect();
    let wide = shown.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", paint.good(title));
    for (path, what) in shown {
        text.push_str(&format!("  {path:wide$}  {}\n", paint.faint(what)));
    }
    text.push_str(&format!("\n{}\n", paint.strong("Try:")));
    for line in next {
        text.push_str(&format!("  {line}\n"));
    }
    output.say(&text);
    Ok(0)
}

fn taken(path: &Path, hint: &str) -> Error {
    Error::new(Code::DuplicateName, format!("`{}` is there already", path.display()))
        .place(Place::file(path))
        .hint(hint)
}

/// `word_count` as a class is called: `WordCount`.
fn class_name(stem: &str) -> String {
    let mut name = String::new();
    for word in stem.split('_').filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("Module{name}") }
}

fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+:@%,".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_called_as_its_file() {
        for (stem, name) in [("upper", "Upper"), ("word_count", "WordCount"), ("_x", "X"), ("_1", "Module1")]
        {
            assert_eq!(class_name(stem), name);
        }
    }

    #[test]
    fn a_path_with_spaces_is_quoted() {
        assert_eq!(shell_word(Path::new("a/b.py")), "a/b.py");
        assert_eq!(shell_word(Path::new("a b'c")), r"'a b'\''c'");
    }
}
