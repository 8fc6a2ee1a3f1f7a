//! Comma-separated text cut into records and fields, in place.
//!
//! Fields stay where they were read; only those with doubled quotes are copied. Lines are counted exactly,
//! quoted line ends included. Nothing here knows what a field means.

use modrack_core::Result;

use crate::input::Stream;

/// How much is read at once.
const STEP: usize = 1 << 20;
/// How much a batch may hold, however few rows that is.
const BATCH_BYTES: usize = 16 << 20;
/// How long one record may be: beyond this a quote was left open.
const RECORD_BYTES: usize = 64 << 20;

/// Marks a field that lies in the side buffer instead of the buffer.
const ASIDE: u32 = 1 << 31;

/// A stream of records.
pub(crate) struct Splitter {
    stream: Stream,
    classes: [bool; 256],
    buffer: Vec<u8>,
    filled: usize,
    /// Where the batch began, and what comes after it.
    start: usize,
    next: usize,
    ended: bool,
    start_line: u64,
    line: u64,
    aside: Vec<u8>,
    fields: Vec<(u32, u32)>,
    records: Vec<Record>,
}

/// One record of the batch that was split last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    first: u32,
    width: u32,
    from: u32,
    to: u32,
    /// The line on which it starts, counted from 1.
    pub(crate) line: u64,
    /// Whether a quote in it is never closed: then it is the rest of that line.
    pub(crate) unclosed: bool,
}

impl Record {
    /// How many fields it has.
    pub(crate) fn width(&self) -> usize {
        self.width as usize
    }
}

enum Cut {
    /// A record, and where the next one begins.
    Whole(usize),
    /// The buffer ends within the record.
    More,
    /// A quote is never closed.
    Unclosed,
}

impl Splitter {
    /// Splits `stream` at `delimiter`; a byte order mark at its start is passed by.
    ///
    /// # Errors
    /// What reading the first bytes fails with.
    pub(crate) fn new(stream: Stream, delimiter: u8) -> Result<Self> {
        let mut classes = [false; 256];
        for byte in [delimiter, b'\n', b'\r'] {
            classes[usize::from(byte)] = true;
        }
        let mut splitter = Self {
            stream,
            classes,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            next: 0,
            ended: false,
            start_line: 1,
            line: 1,
            aside: Vec::new(),
            fields: Vec::new(),
            records: Vec::new(),
        };
        while splitter.filled < 3 && !splitter.ended {
            splitter.fill()?;
        }
        if splitter.buffer[..splitter.filled].starts_with(b"\xef\xbb\xbf") {
            splitter.next = 3;
        }
        Ok(splitter)
    }

    /// The first bytes, before anything was split.
    pub(crate) fn head(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// The name that messages use.
    pub(crate) fn shown(&self) -> &std::sync::Arc<str> {
        self.stream.shown()
    }

    /// Splits off up to `most` records, fewer where they are long; none at the end.
    ///
    /// # Errors
    /// What reading fails with.
    pub(crate) fn split(&mut self, most: usize) -> Result<&[Record]> {
        self.records.clear();
        self.fields.clear();
        self.aside.clear();
        self.buffer.copy_within(self.next..self.filled, 0);
        self.filled -= self.next;
        (self.start, self.next, self.start_line) = (0, 0, self.line);
        while self.records.len() < most {
            let (fields, aside, line) = (self.fields.len(), self.aside.len(), self.line);
            let from = self.skip_empty(self.next);
            let first_line = self.line;
            if from == self.filled && self.ended {
                self.next = from;
                break;
            }
            let cut = self.record(from);
            let (to, unclosed) = match cut {
                Cut::Whole(to) => (to, false),
                Cut::More if !self.ended && self.filled - from < RECORD_BYTES => {
                    self.fields.truncate(fields);
                    self.aside.truncate(aside);
                    self.line = line;
                    if !self.records.is_empty() && self.filled >= BATCH_BYTES {
                        break;
                    }
                    self.fill()?;
                    continue;
                }
                Cut::More | Cut::Unclosed => {
                    // The rest of the line is the bad record; what follows it is read as if nothing was.
                    self.fields.truncate(fields);
                    self.aside.truncate(aside);
                    self.line = first_line + 1;
                    let rest = &self.buffer[from..self.filled];
                    let length = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |at| at + 1);
                    (from + length, true)
                }
            };
            self.next = to;
            self.records.push(Record {
                first: fields as u32,
                width: (self.fields.len() - fields) as u32,
                from: from as u32,
                to: to as u32,
                line: first_line,
                unclosed,
            });
        }
        Ok(&self.records)
    }

    /// Goes back to before the records that were split last.
    pub(crate) fn rewind(&mut self) {
        self.next = self.start;
        self.line = self.start_line;
    }

    /// The records that were split last.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// A field of a record of the batch that was split last.
    pub(crate) fn field(&self, record: &Record, index: usize) -> &[u8] {
        let (from, to) = self.fields[record.first as usize + index];
        if from & ASIDE != 0 {
            &self.aside[(from & !ASIDE) as usize..to as usize]
        } else {
            &self.buffer[from as usize..to as usize]
        }
    }

    /// The column of text, in characters from 1, on which a field starts; none behind a quoted line end.
    pub(crate) fn column(&self, record: &Record, index: usize) -> Option<usize> {
        let before = (0..index).map(|i| self.fields[record.first as usize + i]);
        let mut at = self.fields[record.first as usize + index].0;
        if at & ASIDE != 0 || before.clone().any(|(from, _)| from & ASIDE != 0) {
            return None;
        }
        at -= u32::from(at > record.from && self.buffer[at as usize - 1] == b'"');
        let before = &self.buffer[record.from as usize..at as usize];
        (!before.contains(&b'\n')).then(|| String::from_utf8_lossy(before).chars().count() + 1)
    }

    /// A record as it stands, without its line end.
    pub(crate) fn raw(&self, record: &Record) -> &[u8] {
        let raw = &self.buffer[record.from as usize..record.to as usize];
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        raw.strip_suffix(b"\r").unwrap_or(raw)
    }

    fn fill(&mut self) -> Result<()> {
        if self.buffer.len() < self.filled + STEP {
            self.buffer.resize((self.filled + STEP).max(self.buffer.len()), 0);
        }
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        self.filled += count;
        self.ended = count == 0;
        Ok(())
    }

    fn skip_empty(&mut self, mut at: usize) -> usize {
        while at < self.filled && matches!(self.buffer[at], b'\n' | b'\r') {
            let both = self.buffer[at] == b'\r' && self.buffer.get(at + 1) == Some(&b'\n');
            at += 1 + usize::from(both && at + 1 < self.filled);
            self.line += 1;
        }
        at
    }

    fn record(&mut self, mut at: usize) -> Cut {
        let bytes = &self.buffer[..self.filled];
        let ended = self.ended;
        let more = |closed: bool| if ended && !closed { Cut::Unclosed } else { Cut::More };
        loop {
            if at < bytes.len() && bytes[at] == b'"' {
                let from = at + 1;
                let mut run = from;
                let mut aside = None;
                at = from;
                // Within quotes only a quote means something, and two of them mean one.
                loop {
                    match bytes.get(at) {
                        None => return more(false),
                        Some(b'"') if bytes.get(at + 1) == Some(&b'"') => {
                            aside.get_or_insert(self.aside.len());
                            self.aside.extend_from_slice(&bytes[run..=at]);
                            at += 2;
                            run = at;
                        }
                        // The next byte decides whether this quote closes.
                        Some(b'"') if at + 1 == bytes.len() && !ended => return Cut::More,
                        Some(b'"') => break,
                        Some(&byte) => {
                            let alone = byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
                            self.line += u64::from(byte == b'\n' || alone);
                            at += 1;
                        }
                    }
                }
                let close = at;
                at += 1;
                let tail = at;
                while at < bytes.len() && !self.classes[usize::from(bytes[at])] {
                    at += 1;
                }
                if aside.is_none() && tail == at {
                    self.fields.push((from as u32, close as u32));
                } else {
                    let begin = *aside.get_or_insert(self.aside.len());
                    self.aside.extend_from_slice(&bytes[run..close]);
                    self.aside.extend_from_slice(&bytes[tail..at]);
                    self.fields.push((begin as u32 | ASIDE, self.aside.len() as u32));
                }
            } else {
                let from = at;
                while at < bytes.len() && !self.classes[usize::from(bytes[at])] {
                    at += 1;
                }
                self.fields.push((from as u32, at as u32));
            }
            match bytes.get(at) {
                None if ended => return Cut::Whole(at),
                None => return Cut::More,
                Some(b'\n') => {
                    self.line += 1;
                    return Cut::Whole(at + 1);
                }
                Some(b'\r') => {
                    if at + 1 == bytes.len() && !ended {
                        return Cut::More;
                    }
                    self.line += 1;
                    return Cut::Whole(at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\n')));
                }
                Some(_) => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Meter, stream};

    fn check(text: &str, expected: &[&[&str]]) {
        // Whatever the reads cut through, the fields are the same.
        for step in [1, 3, usize::MAX] {
            let input = Box::new(Dripping(text.as_bytes().to_vec(), step));
            let stream = stream(input, &"x".into(), None, &Meter::default()).unwrap();
            let mut splitter = Splitter::new(stream, b',').unwrap();
            let mut got = Vec::new();
            loop {
                let records = splitter.split(2).unwrap().to_vec();
                if records.is_empty() {
                    break;
                }
                for record in records {
                    let fields = (0..record.width())
                        .map(|i| String::from_utf8(splitter.field(&record, i).to_vec()).unwrap())
                        .collect::<Vec<_>>();
                    got.push(format!("{}:{fields:?}", record.line));
                }
            }
            let mut line = 0;
            let expected: Vec<_> = expected
                .iter()
                .map(|record| {
                    line = record[0].parse().unwrap_or(line);
                    format!("{line}:{:?}", &record[1..])
                })
                .collect();
            assert_eq!(got, expected, "{text:?} in steps of {step}");
        }
    }

    struct Dripping(Vec<u8>, usize);

    impl std::io::Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(self.1).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    #[test]
    fn fields_are_cut_as_everybody_cuts_them() {
        check("a,b\n1,2\n", &[&["1", "a", "b"], &["2", "1", "2"]]);
        check("a,b\r\n1,2", &[&["1", "a", "b"], &["2", "1", "2"]]);
        check("\u{feff}a,b\n", &[&["1", "a", "b"]]);
        check("a\n\n\nb\n", &[&["1", "a"], &["4", "b"]]);
        check("\"a,b\",\"c\"\"d\"\n", &[&["1", "a,b", "c\"d"]]);
        check("\"a\nb\",1\nc,2\n", &[&["1", "a\nb", "1"], &["3", "c", "2"]]);
        check("\"a\"x,1\n", &[&["1", "ax", "1"]]);
        check("a\"b,1\n", &[&["1", "a\"b", "1"]]);
        check(",\n,", &[&["1", "", ""], &["2", "", ""]]);
        check("\"\",x\n", &[&["1", "", "x"]]);
        check("a\rb\r", &[&["1", "a"], &["2", "b"]]);
        check("", &[]);
    }

    #[test]
    fn a_quote_left_open_costs_one_line() {
        let input = Box::new(Dripping(b"a,\"b\nc,d\n".to_vec(), 4));
        let stream = stream(input, &"x".into(), None, &Meter::default()).unwrap();
        let mut splitter = Splitter::new(stream, b',').unwrap();
        let records = splitter.split(10).unwrap().to_vec();
        assert_eq!(records.len(), 2);
        assert!(records[0].unclosed && !records[1].unclosed);
        assert_eq!(splitter.raw(&records[0]), b"a,\"b");
        assert_eq!((splitter.field(&records[1], 0), records[1].line), (&b"c"[..], 2));
    }
}
