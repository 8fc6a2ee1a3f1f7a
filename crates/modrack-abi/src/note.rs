//! What a module says of itself, as an ELF note that is read without running the module.

/// The section of the note.
pub const NOTE_SECTION: &str = ".note.modrack";

/// The owner of the note.
pub const NOTE_OWNER: &str = "modrack";

/// The type of the note whose payload is the module's manifest, as UTF-8 text of TOML.
pub const NOTE_TYPE: u32 = 1;

/// An ELF note of so many bytes of text, for a static in the section `.note.modrack`:
///
/// ```
/// const SAID: &str = "name = \"late\"\n";
///
/// #[used]
/// #[cfg_attr(target_os = "linux", unsafe(link_section = ".note.modrack"))]
/// static NOTE: modrack_abi::Note<{ SAID.len() }> = modrack_abi::Note::new(SAID);
/// ```
#[repr(C, align(4))]
#[derive(Debug)]
pub struct Note<const SIZE: usize> {
    name_size: u32,
    text_size: u32,
    kind: u32,
    name: [u8; 8],
    text: [u8; SIZE],
}

impl<const SIZE: usize> Note<SIZE> {
    /// The note of this text, which has `SIZE` bytes.
    ///
    /// # Panics
    /// When it has not: at compile time, where notes are made.
    pub const fn new(text: &str) -> Self {
        assert!(text.len() == SIZE, "the note's size is that of its text");
        assert!(SIZE <= u32::MAX as usize, "a note is small");
        let mut bytes = [0; SIZE];
        let mut at = 0;
        while at < SIZE {
            bytes[at] = text.as_bytes()[at];
            at += 1;
        }
        Self { name_size: 8, text_size: SIZE as u32, kind: NOTE_TYPE, name: *b"modrack\0", text: bytes }
    }
}
