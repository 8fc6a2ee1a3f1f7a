//! Did you mean: the name that was probably meant.

/// The candidate that `wanted` is most likely a slip of; none when nothing is near.
pub(crate) fn closest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let most = (wanted.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters are wrong, a missing or different ending counting as one.
fn distance(a: &str, b: &str) -> usize {
    let stem = |name: &'_ str| name.rsplit_once('.').map_or(name.len(), |(stem, _)| stem.len());
    if a != b && a[..stem(a)] == b[..stem(b)] {
        return 1;
    }
    strsim::osa_distance(a, b)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_nearest_name_is_meant() {
        let check = |wanted, candidates: &[&'static str], meant: Option<&str>| {
            assert_eq!(closest(wanted, candidates.iter().copied()), meant, "{wanted}");
        };
        check("clen", &["clean", "clear"], Some("clean"));
        check("Clean", &["model", "clean"], Some("clean"));
        check("upper", &["upper.py", "under.py"], Some("upper.py"));
        check("x", &["clean"], None);
        check("rates", &[], None);
    }
}
