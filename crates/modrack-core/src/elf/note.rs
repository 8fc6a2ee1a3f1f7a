//! Notes: what whoever made a library left in it for others to read.

use super::NotElf;
use super::bytes::Bytes;

/// The payload of the first note with this owner and type. `is_owners` says that there is nothing else in these
/// bytes, so that whatever they are cut in is the owner's note.
///
/// # Errors
/// A note of the owner that goes on behind the end.
pub(super) fn find<'d>(
    mut notes: Bytes<'d>,
    owner: &str,
    kind: u32,
    is_owners: bool,
) -> Result<Option<&'d [u8]>, NotElf> {
    const CUT: NotElf = NotElf::Cut("its note");
    let padded = |size: u32| u64::from(size).div_ceil(4) * 4;
    loop {
        // What is left of another's is not ours to judge.
        let cut = |is_ours: bool| if is_ours { Err(CUT) } else { Ok(None) };
        if notes.0.is_empty() {
            return Ok(None);
        }
        let (Some(name_size), Some(size), Some(found)) = (notes.u32(0), notes.u32(4), notes.u32(8)) else {
            return cut(is_owners);
        };
        let Some(name) = notes.get(12, u64::from(name_size)) else { return cut(is_owners) };
        let is_ours = found == kind && name.0.strip_suffix(b"\0").unwrap_or(name.0) == owner.as_bytes();
        let text_at = 12 + padded(name_size);
        let Some(text) = notes.get(text_at, u64::from(size)) else { return cut(is_ours || is_owners) };
        if is_ours {
            return Ok(Some(text.0));
        }
        let next = text_at + padded(size);
        let left = (notes.0.len() as u64).checked_sub(next).and_then(|left| notes.get(next, left));
        match left {
            Some(left) => notes = left,
            None => return Ok(None),
        }
    }
}
