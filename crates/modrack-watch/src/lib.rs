//! Tells a rack when the content of its files has changed.
