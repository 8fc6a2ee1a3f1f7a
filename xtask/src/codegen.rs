//! `cargo xtask codegen`: files that are made from others, so that one list feeds all of them.
//!
//! `docs/rack.schema.json` is what `modrack schema` prints; `docs/errors/README.md` is the list of codes;
//! `include/modrack.h` is the C interface of native modules; packages of their own have copies of the contracts. A test
//! runs this with `--check`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cargo::{Product, cargo, root};
use crate::copies;
use crate::header;
use crate::tidy::codes::{self, ListedCode};

/// Writes every made file, or with `check` says which are out of date.
pub(crate) fn run(check: bool) -> Result<bool> {
    let product = Product::of("dev")?;
    if !check {
        let status = cargo().args(["build", "--package", "modrack-cli"]).status()?;
        ensure!(status.success(), "modrack does not build");
    }
    let mut holds = true;
    let mut made = vec![schema(&product)?, error_index(&codes::listed()?)?, header()?];
    made.extend(copies::wanted()?);
    for (path, text) in made {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        if fs::read_to_string(&path).is_ok_and(|held| held == text) {
            println!("{shown} is up to date");
        } else if check {
            println!("{shown} is out of date: `cargo xtask codegen` writes it");
            holds = false;
        } else {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, text).with_context(|| shown.clone())?;
            println!("{shown} was written");
        }
    }
    Ok(holds)
}

fn schema(product: &Product) -> Result<(PathBuf, String)> {
    let output = product.modrack(root(), &["schema"]).output().context("modrack is not built")?;
    ensure!(output.status.success(), "modrack schema: {}", String::from_utf8_lossy(&output.stderr));
    Ok((root().join("docs/rack.schema.json"), String::from_utf8(output.stdout)?))
}

fn header() -> Result<(PathBuf, String)> {
    Ok((root().join("include/modrack.h"), header::text()?))
}

fn error_index(codes: &[ListedCode]) -> Result<(PathBuf, String)> {
    let mut text = String::from(
        "# Errors\n\n\
         Every failure has a code. The page of a code says what it means, shows a smallest example that gives it,\n\
         and says what to do. The kind is what `errors:` in a rack can name, beside the class of an exception.\n\n\
         Exit status: 2 when the command line or the configuration is wrong (kind `config`), 130 when interrupted,\n\
         1 for everything else.\n\n\
         | code | kind | |\n|---|---|---|\n",
    );
    for code in codes {
        writeln!(text, "| [{0}]({0}.md) | `{1}` | {2} |", code.number, code.kind, code.title)?;
    }
    Ok((root().join("docs/errors/README.md"), text))
}
