//! Source text to ruff's syntax tree, with bounds: no text makes this overflow the stack.
//!
//! The parser grows its own stack, but neither walking nor dropping a deep tree does. So nesting is bounded
//! before parsing, at what Python itself refuses, and what is deep all the same is read on a larger stack.

use ruff_python_ast::ModModule;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{
    LexicalErrorType, Mode, ParseError, ParseErrorType, Parsed, lexer, parse_module, parse_unchecked,
};
use ruff_text_size::Ranged;

use crate::text::SourceText;

/// Why a text cannot be parsed: the words, and the offset at which it goes wrong.
pub(crate) struct Syntax {
    pub(crate) message: String,
    pub(crate) offset: u32,
    pub(crate) too_deep: bool,
}

/// Nesting from which on a larger stack is used.
const DEEP: usize = 200;
/// Nesting at which Python's own compiler gives up, whatever its version.
const MAX_DEPTH: usize = 10_000;
/// Blocks in blocks: what Python's tokenizer takes.
const MAX_INDENT: usize = 100;
/// The stack for deep trees: 10,000 levels of the widest frame, in a build that is not optimised.
const LARGE_STACK: usize = 32 << 20;

/// Parses a module and hands the tree to `read`; both, and dropping the tree, happen on a stack that suffices.
pub(crate) fn with_module<T>(
    source: &SourceText,
    read: impl FnOnce(&Parsed<ModModule>) -> T,
) -> Result<T, Syntax> {
    let depth = depth(&source.text)?;
    let work = || match parse_module(&source.text) {
        Ok(parsed) => Ok(read(&parsed)),
        Err(error) => Err(syntax(&source.text, &error)),
    };
    if depth > DEEP { stacker::grow(LARGE_STACK, work) } else { work() }
}

/// An upper bound on how deep the tree of `text` gets, found from its tokens alone.
///
/// Each token that can open a level counts until the comma or the end of the statement that closes it.
fn depth(text: &str) -> Result<usize, Syntax> {
    let mut tokens = lexer::lex(text, Mode::Module);
    let mut levels: Vec<usize> = vec![0];
    let mut sum = 0;
    let mut most = 0;
    let mut indent = 0;
    let mut seen = 0_usize;
    loop {
        let kind = tokens.next_token();
        seen += 1;
        match kind {
            TokenKind::EndOfFile => return Ok(most + indent),
            // A text that goes wrong here goes wrong in the parser too, which says it better.
            TokenKind::Newline | TokenKind::Semi => {
                levels.truncate(1);
                levels[0] = 0;
                sum = 0;
            }
            TokenKind::Indent => {
                indent += 1;
                if indent >= MAX_INDENT {
                    return Err(too_deep(text, seen));
                }
            }
            TokenKind::Dedent => indent = indent.saturating_sub(1),
            TokenKind::Comma => {
                // The bracket round it stays open.
                let kept = usize::from(levels.len() > 1);
                if let Some(level) = levels.last_mut() {
                    sum -= *level - kept;
                    *level = kept;
                }
            }
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                levels.push(1);
                sum += 1;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                // What was inside is closed; what follows it may be a call of a call.
                if levels.len() > 1 {
                    sum -= levels.pop().unwrap_or(0);
                }
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                    sum += 1;
                }
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Colon => {}
            _ => {
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                    sum += 1;
                }
            }
        }
        if sum > most {
            most = sum;
            if most > MAX_DEPTH {
                return Err(too_deep(text, seen));
            }
        }
    }
}

/// The failure at the `token`th token; only this path pays for finding where it is.
fn too_deep(text: &str, token: usize) -> Syntax {
    let mut tokens = lexer::lex(text, Mode::Module);
    let mut lines = 0;
    for _ in 0..token {
        if matches!(tokens.next_token(), TokenKind::Newline | TokenKind::NonLogicalNewline) {
            lines += 1;
        }
    }
    let offset = text.split_inclusive('\n').take(lines).map(str::len).sum::<usize>();
    Syntax {
        message: "Too many levels of nesting".into(),
        offset: u32::try_from(offset).unwrap_or(u32::MAX),
        too_deep: true,
    }
}

/// The parser's words, or Python's own where brackets do not match: what follows an open bracket goes wrong
/// in odd places.
fn syntax(text: &str, error: &ParseError) -> Syntax {
    let offset = error.location.start().to_u32();
    // What ends too early is told by the bracket that is open there; other words of the lexer are exact.
    let is_lexical = matches!(&error.error, ParseErrorType::Lexical(why) if *why != LexicalErrorType::Eof);
    if !is_lexical && let Some((message, at)) = brackets(text).filter(|(_, at)| *at <= offset) {
        return Syntax { message, offset: at, too_deep: false };
    }
    Syntax { message: error.error.to_string(), offset, too_deep: false }
}

/// The bracket that does not match, as Python says it, and where it is.
fn brackets(text: &str) -> Option<(String, u32)> {
    let parsed = parse_unchecked(text, Mode::Module.into());
    let mut open: Vec<(TokenKind, u32)> = Vec::new();
    let sign = |kind| match kind {
        TokenKind::Lpar => "(",
        TokenKind::Lsqb => "[",
        TokenKind::Lbrace => "{",
        TokenKind::Rpar => ")",
        TokenKind::Rsqb => "]",
        _ => "}",
    };
    for token in parsed.tokens() {
        let at = token.start().to_u32();
        let opening = match token.kind() {
            kind @ (TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace) => {
                open.push((kind, at));
                continue;
            }
            TokenKind::Rpar => TokenKind::Lpar,
            TokenKind::Rsqb => TokenKind::Lsqb,
            TokenKind::Rbrace => TokenKind::Lbrace,
            _ => continue,
        };
        let closing = sign(token.kind());
        match open.pop() {
            None => return Some((format!("`{closing}` was never opened"), at)),
            Some((kind, _)) if kind != opening => {
                return Some((format!("`{closing}` does not close the `{}` before it", sign(kind)), at));
            }
            Some(_) => {}
        }
    }
    open.pop().map(|(kind, at)| (format!("`{}` was never closed", sign(kind)), at))
}
