//! The way to a file: the folders in which it, and each link on the way to it, has its name.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// How many links are followed, as the system does.
const MOST_LINKS: usize = 40;

/// A name in a folder; the folder's path has no links in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Step {
    pub(crate) folder: PathBuf,
    pub(crate) name: OsString,
}

/// What decides what a path leads to: if something happens to none of these names, the path leads where it did.
///
/// The folder that the file lies in is one of them, by its name in the one above, because it may be replaced as a whole. Where the way ends
/// before the file, the name that is missing is the last.
pub(crate) fn steps(path: &Path, links: &dyn Fn(&Path) -> Node) -> BTreeSet<Step> {
    let mut steps = BTreeSet::new();
    let mut left: Vec<OsString> = parts(path);
    let mut at = PathBuf::from("/");
    let mut followed = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let step = Step { folder: at.clone(), name };
        let (is_file, is_folder) = (left.is_empty(), left.len() == 1);
        match links(&next) {
            Node::Link(target) if followed < MOST_LINKS => {
                followed += 1;
                steps.insert(step);
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                left.extend(parts(&target));
            }
            Node::Missing | Node::Link(_) => {
                steps.insert(step);
                return steps;
            }
            Node::There => {
                if is_file || is_folder {
                    steps.insert(step);
                }
                at = next;
            }
        }
    }
    steps
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Nothing, or nothing that can be known.
    Missing,
    /// A file or a folder.
    There,
    /// A link to there.
    Link(PathBuf),
}

/// The names of a path, the first last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, tree: &[(&str, Option<&str>)], expected: &[&str]) {
        let node = |path: &Path| match tree.iter().find(|(there, _)| Path::new(there) == path) {
            Some((_, Some(target))) => Node::Link(target.into()),
            Some((_, None)) => Node::There,
            None => Node::Missing,
        };
        let found: Vec<String> = steps(Path::new(path), &node)
            .into_iter()
            .map(|step| format!("{}|{}", step.folder.display(), step.name.display()))
            .collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_way_is_the_names_that_decide_it() {
        let plain = [("/a", None), ("/a/b", None), ("/a/b/x.py", None)];
        check("/a/b/x.py", &plain, &["/a|b", "/a/b|x.py"]);
        check("/a/./b/../b/x.py", &plain, &["/a|b", "/a/b|x.py"]);
        check("/a/b/y.py", &plain, &["/a|b", "/a/b|y.py"]);
        check("/a/c/d/x.py", &plain, &["/a|c"]);
        let mounted = [
            ("/etc", None),
            ("/etc/rack", None),
            ("/etc/rack/rack.yaml", Some("..data/rack.yaml")),
            ("/etc/rack/..data", Some("..2026_1")),
            ("/etc/rack/..2026_1", None),
            ("/etc/rack/..2026_1/rack.yaml", None),
        ];
        check(
            "/etc/rack/rack.yaml",
            &mounted,
            &[
                "/etc|rack",
                "/etc/rack|..2026_1",
                "/etc/rack|..data",
                "/etc/rack|rack.yaml",
                "/etc/rack/..2026_1|rack.yaml",
            ],
        );
        check("/a/x", &[("/a", None), ("/a/x", Some("x"))], &["/|a", "/a|x"]);
        check("/l/x", &[("/l", Some("/a")), ("/a", None), ("/a/x", None)], &["/|a", "/|l", "/a|x"]);
    }
}
