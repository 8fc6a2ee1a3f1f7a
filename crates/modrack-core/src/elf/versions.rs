//! The versions of symbols: those that a library has, those that it needs of others, and which symbol has which.

use super::bytes::Bytes;
use super::{Elf, NotElf};

/// More versions than anybody has; each is gone through.
const MOST: usize = 1 << 16;

/// Which symbol has which version.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Versions<'d> {
    table: Bytes<'d>,
    /// The highest that there is; 0 where the loader goes by no versions.
    highest: u16,
}

/// Two linked lists, one within the other: what each entry has, and where.
struct Lists {
    /// The entry of the dynamic section, and what the list is.
    tag: u64,
    what: &'static str,
    /// How many bytes an entry has, and one of the list within.
    size: u64,
    inner_size: u64,
    /// Where an entry says how far the list within and the next entry are.
    inner: usize,
    next: usize,
    /// Where one of the list within says how far the next is.
    inner_next: usize,
}

const NEEDED: Lists = Lists {
    tag: 0x6fff_fffe,
    what: "the versions that it needs",
    size: 16,
    inner_size: 16,
    inner: 8,
    next: 12,
    inner_next: 12,
};

const HAD: Lists = Lists {
    tag: 0x6fff_fffc,
    what: "the versions that it has",
    size: 20,
    inner_size: 8,
    inner: 12,
    next: 16,
    inner_next: 4,
};

impl<'d> Versions<'d> {
    /// Goes through all of them. `needed` are the libraries that it needs.
    ///
    /// # Errors
    /// A list that leads outside, and a version of a library that is not needed.
    pub(super) fn read(
        elf: &Elf<'d>,
        one: impl Fn(u64) -> Option<u64>,
        texts: Bytes<'d>,
        needed: &[&str],
    ) -> Result<Self, NotElf> {
        let mut highest = 0;
        let text = |at: Option<u32>| at.and_then(|at| texts.string(at.into()));
        NEEDED.each(elf, &one, |entry, inner| {
            let file = text(entry.u32(4));
            // The loader takes it for granted that somebody needs the library.
            if !file.is_some_and(|file| needed.iter().any(|name| name.as_bytes() == file)) {
                return Err(NotElf::Nonsense("it needs versions of a library that it does not need"));
            }
            text(inner.u32(8)).ok_or(NotElf::Cut("its table of names"))?;
            highest = highest.max(inner.u16(6).unwrap_or_default() & 0x7fff);
            Ok(())
        })?;
        HAD.each(elf, &one, |entry, inner| {
            text(inner.u32(0)).ok_or(NotElf::Cut("its table of names"))?;
            highest = highest.max(entry.u16(4).unwrap_or_default() & 0x7fff);
            Ok(())
        })?;
        // Who has the table of versions is taken to have versions.
        match (highest, one(0x6fff_fff0)) {
            (0, None) => return Ok(Self::default()),
            (0, Some(_)) => return Err(NotElf::Nonsense("its symbols have versions, and it has none")),
            _ => {}
        }
        let table = one(0x6fff_fff0).and_then(|at| elf.mapped(at));
        Ok(Self { table: table.ok_or(NotElf::Cut("its table of versions"))?, highest })
    }

    /// Checks that a symbol's version is one that there is.
    ///
    /// # Errors
    /// One that there is not.
    pub(super) fn check(&self, symbol: u64) -> Result<(), NotElf> {
        if self.highest == 0 {
            return Ok(());
        }
        let at = symbol.checked_mul(2).and_then(|at| usize::try_from(at).ok());
        let version = at.and_then(|at| self.table.u16(at)).ok_or(NotElf::Cut("its table of versions"))?;
        // 0 and 1 are none in particular.
        if version & 0x7fff > self.highest.max(1) {
            return Err(NotElf::Nonsense("a symbol has a version that there is not"));
        }
        Ok(())
    }
}

impl Lists {
    /// Gives every entry with each of the list within it to `check`.
    fn each<'d>(
        &self,
        elf: &Elf<'d>,
        one: impl Fn(u64) -> Option<u64>,
        mut check: impl FnMut(Bytes<'d>, Bytes<'d>) -> Result<(), NotElf>,
    ) -> Result<(), NotElf> {
        let Some(mut at) = one(self.tag) else { return Ok(()) };
        let cut = || NotElf::Cut(self.what);
        let get = |at: u64, size| elf.mapped(at).and_then(|bytes| bytes.get(0, size)).ok_or_else(cut);
        let step = |at: u64, by: u32| at.checked_add(by.into()).ok_or_else(cut);
        let mut left = MOST;
        loop {
            let entry = get(at, self.size)?;
            let mut inner_at = step(at, entry.u32(self.inner).unwrap_or_default())?;
            loop {
                let inner = get(inner_at, self.inner_size)?;
                check(entry, inner)?;
                left = left.checked_sub(1).ok_or(NotElf::Nonsense("it has more versions than there are"))?;
                match inner.u32(self.inner_next).unwrap_or_default() {
                    0 => break,
                    by => inner_at = step(inner_at, by)?,
                }
            }
            match entry.u32(self.next).unwrap_or_default() {
                0 => return Ok(()),
                by => at = step(at, by)?,
            }
        }
    }
}
