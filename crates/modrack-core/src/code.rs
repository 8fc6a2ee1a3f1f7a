//! The one list of everything that can go wrong: each code with its kind and its title.
//!
//! `docs/errors/` has a page for each; a test holds the two against each other. A code that was published is
//! never given another meaning.

use std::fmt;

/// What sort of failure a code stands for: what `errors:` in a rack can name, and what decides the exit status.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Kind {
    /// The rack, its text or the command line is wrong.
    Config,
    /// What was named is not there.
    NotFound,
    /// A module is there, and is broken.
    Broken,
    /// A module does not fit its contract, its parameters or its requirements.
    Mismatch,
    /// A module's code raised an exception, or trapped.
    Raised,
    /// A module asked the process to exit.
    Exit,
    /// A value does not fit the type it is meant for.
    Type,
    /// A limit on time was reached.
    Timeout,
    /// Another limit was reached: memory, the size of a result, how deep calls are nested.
    Limit,
    /// The caller gave up.
    Cancelled,
    /// Data could not be read as what it claims to be.
    Data,
    /// The system refused: a file, a disk, a process.
    Io,
    /// A mistake in modrack itself.
    Internal,
}

impl Kind {
    /// Every kind, in the order of this page.
    pub const ALL: &'static [Self] = &[
        Self::Config,
        Self::NotFound,
        Self::Broken,
        Self::Mismatch,
        Self::Raised,
        Self::Exit,
        Self::Type,
        Self::Timeout,
        Self::Limit,
        Self::Cancelled,
        Self::Data,
        Self::Io,
        Self::Internal,
    ];

    /// The kind as `errors:` and `--json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::NotFound => "not-found",
            Self::Broken => "broken",
            Self::Mismatch => "mismatch",
            Self::Raised => "raised",
            Self::Exit => "exit",
            Self::Type => "type",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Cancelled => "cancelled",
            Self::Data => "data",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $kind:ident, $title:literal;)*) => {
        /// A code of the list: stable, searchable, with a page of its own.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is printed: `M0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $number,)* }
            }

            /// What sort of failure it is.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// The title of its page.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    // The rack and its text.
    ConfigSyntax = "M0101", Config, "The text is not valid YAML, TOML or JSON";
    ConfigEncoding = "M0102", Config, "The rack is not UTF-8 text";
    ConfigTooLarge = "M0103", Config, "The rack is too large, or grows too large";
    UnknownKey = "M0104", Config, "A key that no rack has";
    WrongType = "M0105", Config, "A value of the wrong type";
    UnknownSlot = "M0106", Config, "A slot that is not declared";
    DuplicateName = "M0107", Config, "A name that is taken";
    CyclicReference = "M0108", Config, "References that go round in a circle";
    Interpolation = "M0109", Config, "A `${...}` that cannot be filled in";
    Unsupported = "M0110", Config, "Something that cannot be had here";
    MissingKey = "M0111", Config, "A key that must be there";
    BadValue = "M0112", Config, "A value that is not allowed";
    NoRack = "M0113", Config, "No rack was found";
    UnknownPipeline = "M0114", Config, "A pipeline that is not declared";
    ConfigUnreadable = "M0115", Config, "The rack cannot be read";
    Usage = "M0116", Config, "A command that cannot be understood";

    // Finding what fills a slot.
    ModuleNotFound = "M0201", NotFound, "The module is not there";
    UnknownBackend = "M0202", Config, "Nothing here loads such a file";
    NotInCatalog = "M0203", NotFound, "The catalog has no such module";
    ModuleUnreadable = "M0204", Io, "The module cannot be read";
    BadUse = "M0205", Config, "A `use` that cannot be understood";

    // Checking it before anything runs.
    NotPython = "M0301", Broken, "The file is not Python source";
    PythonSyntax = "M0302", Broken, "A syntax error in a Python module";
    MissingName = "M0303", Mismatch, "The module has no such name";
    AmbiguousModule = "M0304", Mismatch, "Several classes could fill the slot";
    ContractFunctionMissing = "M0305", Mismatch, "A function of the contract is missing";
    ContractMismatch = "M0306", Mismatch, "A function does not fit its contract";
    BadParams = "M0307", Mismatch, "`params` do not fit the module";
    BadManifest = "M0308", Broken, "The module's manifest is wrong";
    RequirementUnmet = "M0309", Mismatch, "The module requires what is not there";
    BadContract = "M0310", Config, "A contract's WIT is wrong";
    UnknownContract = "M0311", Config, "A contract that is not known";
    NoMainFunction = "M0312", Mismatch, "It is not clear which function is the main one";
    NotAComponent = "M0313", Broken, "A core WebAssembly module, not a component";
    BadComponent = "M0314", Broken, "A WebAssembly component that is damaged";
    ImportNotGiven = "M0315", Mismatch, "The component imports what it is not given";
    NotALibrary = "M0316", Broken, "The file is not a shared library for this machine";
    NotAModule = "M0317", Mismatch, "A shared library that is no module";
    AbiVersion = "M0318", Mismatch, "A library for another version of the interface";
    BadModuleTable = "M0319", Broken, "A library's table of functions is wrong";
    LibraryConflict = "M0320", Mismatch, "Two libraries of one name in one process";
    DependencyMissing = "M0321", Broken, "A library needs what is not there";

    // Loading and starting it.
    ImportFailed = "M0401", Broken, "The module failed while it was loaded";
    CircularImport = "M0402", Broken, "Modules that import each other in a circle";
    ConstructFailed = "M0403", Broken, "The module could not be constructed";
    InitializeFailed = "M0404", Broken, "The module's `initialize` failed";
    LoadCycle = "M0405", Config, "Slots that wait for each other to load";
    ExitWhileLoading = "M0406", Exit, "The module asked to exit while it was loaded";
    StopFailed = "M0407", Broken, "The module's `shutdown` failed";
    RackStopped = "M0408", NotFound, "The rack was stopped";

    // Replacing it.
    ProbeFailed = "M0409", Mismatch, "The new module does not answer as it should";
    FunctionLost = "M0410", Mismatch, "A function that is in use is gone or takes less";
    StateTooLarge = "M0411", Limit, "The state is larger than may be carried over";
    StateRefused = "M0412", Mismatch, "The state cannot be carried over";
    NotDrained = "M0413", Timeout, "Calls of the old module did not end in time";
    NothingBefore = "M0414", NotFound, "There is nothing to go back to";
    SwapInside = "M0415", Config, "A swap that would wait for itself";
    HeldBack = "M0416", Limit, "Too many calls are held back";
    TrialFailed = "M0417", Mismatch, "The new module did not stand its trial";
    ChangedMeanwhile = "M0418", Broken, "The module's files changed while it was loaded";
    NeedsRestart = "M0419", Config, "A key that cannot change while the rack runs";
    LibrariesStay = "M0420", Limit, "Libraries that nothing uses any more take much memory";

    // Calling it.
    UnknownFunction = "M0501", NotFound, "The module has no such function";
    NotCallable = "M0502", Type, "What was called is not a function";
    BadArguments = "M0503", Type, "The arguments do not fit the function";
    Raised = "M0504", Raised, "The module raised an exception";
    WrongResult = "M0505", Type, "The result is not of the type that was promised";
    ValueDoesNotFit = "M0506", Type, "A value that cannot cross between languages";
    ExitInCall = "M0507", Exit, "The module asked to exit while it was called";
    TimedOut = "M0508", Timeout, "The call took longer than it may";
    Cancelled = "M0509", Cancelled, "The call was given up";
    UnknownAttribute = "M0510", NotFound, "The module has no such attribute";
    Reentered = "M0511", Raised, "The module was called while it was being called";
    OutputTooLarge = "M0512", Limit, "The result is larger than it may be";
    MemoryLimit = "M0513", Limit, "The module wants more memory than it may have";
    TooDeep = "M0514", Limit, "Calls between slots are nested too deep";
    RulesBroken = "M0515", Broken, "The module broke a rule of its interface";

    // Data and pipelines.
    SourceMissing = "M0601", NotFound, "The source is not there";
    SourceUnreadable = "M0602", Io, "The source cannot be read";
    BadCsv = "M0603", Data, "A row that is not valid CSV";
    BadCell = "M0604", Data, "A value that is not of its column's type";
    BadHeader = "M0605", Data, "The header is missing, empty or wrong";
    BadFile = "M0606", Data, "The file is damaged, or not of its format";
    SchemaChanged = "M0607", Data, "Rows that do not fit the output's columns";
    SinkUnwritable = "M0608", Io, "The sink cannot be written";
    DiskFull = "M0609", Io, "No space is left";
    SourceVanished = "M0610", Io, "The source vanished while it was read";
    TooManyErrors = "M0612", Data, "More rows failed than may";
    BadTable = "M0613", Data, "A table whose parts contradict each other";
    UnknownColumn = "M0614", Data, "A column that is not there";

    // Python itself.
    PythonMissing = "M0701", Config, "No Python interpreter was found";
    PythonUnfit = "M0702", Config, "The Python interpreter does not fit";
    ExtensionMissing = "M0703", Config, "The Python extension module is missing or does not fit";
    PackageMissing = "M0704", Mismatch, "A Python package that is needed is not installed";

    // modrack itself.
    Interrupted = "M0801", Cancelled, "Interrupted";

    // What a rack remembers, and the files that it watches.
    StateUnwritable = "M0811", Io, "The state cannot be written";
    StateInUse = "M0812", Config, "The state is another process's";
    StateNewer = "M0813", Config, "The state was written by a newer modrack";
    StateDamaged = "M0814", Data, "The state is damaged";
    ContentGone = "M0815", NotFound, "The content is not kept";
    ContentDamaged = "M0816", Data, "Kept content is damaged";
    UnknownEntry = "M0817", NotFound, "The history has no such entry";
    WatchRefused = "M0821", Io, "The system does not watch the files";

    // Serving it.
    AddressUnavailable = "M0831", Config, "The address cannot be listened on";
    BadRequest = "M0832", Config, "A request that cannot be understood";
    RequestRefused = "M0833", Config, "A request that is not allowed";
    ServerBusy = "M0834", Limit, "Too many requests wait";
    NotServed = "M0835", NotFound, "Nothing serves the rack";
    ServerGone = "M0836", Io, "The rack's server gave no answer";

    // A mistake of ours.
    Internal = "M0901", Internal, "A mistake in modrack";
}

impl Code {
    /// Whether it is a caller's doing alone, and says nothing of the module: it gave up, or gave what is not taken.
    pub fn is_callers(self) -> bool {
        matches!(self, Self::BadArguments | Self::RackStopped) || self.kind() == Kind::Cancelled
    }

    /// The code that is printed as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_none_is_given_twice() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
    }

    #[test]
    fn a_code_is_found_by_what_is_printed() {
        for &code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
    }
}
