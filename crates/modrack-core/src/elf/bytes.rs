//! Bytes that are read by offset, and nothing where the offset leads outside.

/// A part of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes<'d>(pub(super) &'d [u8]);

impl<'d> Bytes<'d> {
    /// So many bytes from an offset.
    pub(super) fn get(self, offset: u64, size: u64) -> Option<Self> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        self.0.get(start..end).map(Bytes)
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.0.get(at..)?.first_chunk().copied()?))
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.0.get(at..)?.first_chunk().copied()?))
    }

    pub(super) fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.0.get(at..)?.first_chunk().copied()?))
    }

    /// The bytes at an offset, up to the zero that ends them.
    pub(super) fn string(self, at: u64) -> Option<&'d [u8]> {
        let rest = self.0.get(usize::try_from(at).ok()?..)?;
        Some(&rest[..rest.iter().position(|byte| *byte == 0)?])
    }

    /// The text at an offset, up to the zero that ends it.
    pub(super) fn text(self, at: usize) -> Option<&'d str> {
        let rest = self.0.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}
