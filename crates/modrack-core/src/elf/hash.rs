//! The hash tables by which the system's loader finds symbols, and how many symbols they lead to.

use super::{Elf, NotElf};

const CUT: NotElf = NotElf::Cut("its table of symbols");

/// How many symbols a GNU hash table leads to: one more than the last that any chain has.
///
/// # Errors
/// A table that leads outside, or a filter whose size is none that the loader takes.
pub(super) fn gnu(elf: &Elf<'_>, at: u64) -> Result<u64, NotElf> {
    let table = elf.mapped(at).ok_or(CUT)?;
    let number = |at: usize| table.u32(at).map(u64::from).ok_or(CUT);
    let (buckets, first, words) = (number(0)?, number(4)?, number(8)?);
    // The loader masks with one less; another number ends the process.
    if !words.is_power_of_two() {
        return Err(NotElf::Nonsense("the filter of its table of symbols has a size that is not ELF's"));
    }
    let buckets_at = 16 + words * 8;
    let chains_at = buckets_at + buckets * 4;
    table.get(0, chains_at).ok_or(CUT)?;
    let word = |at: u64| usize::try_from(at).map_err(|_| CUT).and_then(number);
    let mut last = None;
    for index in 0..buckets {
        let bucket = word(buckets_at + index * 4)?;
        if bucket != 0 && bucket < first {
            return Err(NotElf::Nonsense("its table of symbols leads to what it has not"));
        }
        last = last.max(Some(bucket).filter(|bucket| *bucket != 0));
    }
    let Some(mut last) = last else { return Ok(first) };
    // All chains lie one after the other: where the last one ends, every one has ended.
    loop {
        let hash = word(chains_at + (last - first) * 4)?;
        last += 1;
        if hash & 1 == 1 {
            return Ok(last);
        }
    }
}

/// How many symbols a hash table of the older kind has.
///
/// # Errors
/// A table that leads outside, or a chain that comes back to itself.
pub(super) fn plain(elf: &Elf<'_>, at: u64) -> Result<u64, NotElf> {
    let table = elf.mapped(at).ok_or(CUT)?;
    let number = |at: usize| table.u32(at).map(u64::from).ok_or(CUT);
    let (buckets, count) = (number(0)?, number(4)?);
    table.get(8, (buckets + count) * 4).ok_or(CUT)?;
    let word = |index: u64| usize::try_from(8 + index * 4).map_err(|_| CUT).and_then(number);
    let mut seen = vec![false; usize::try_from(count).map_err(|_| CUT)?];
    for bucket in 0..buckets {
        let mut at = word(bucket)?;
        while at != 0 {
            let seen = usize::try_from(at).ok().and_then(|at| seen.get_mut(at)).ok_or(CUT)?;
            // Each symbol is in one chain, once.
            if std::mem::replace(seen, true) {
                return Err(NotElf::Nonsense("its table of symbols runs in a circle"));
            }
            at = word(buckets + at)?;
        }
    }
    Ok(count)
}
