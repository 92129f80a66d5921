//! Errors: what was asked, what was found, what is accepted, and where in the user's code.

use std::fmt;
use std::panic;
use std::sync::Arc;

/// Where an equation came from: the user's line of Rust, or a line of program text.
///
/// Locations never take part in the equality of programs.
#[derive(Clone, Debug, Default)]
pub enum Location {
    /// Made by a transformation or by hand.
    #[default]
    Unknown,
    /// The user's call, through `#[track_caller]`.
    Rust(&'static panic::Location<'static>),
    /// A place in a text that was parsed; line and column count from 1.
    Text {
        /// File name as given by the user.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
}

impl Location {
    /// The location of the caller.
    #[track_caller]
    pub fn caller() -> Location {
        Location::Rust(panic::Location::caller())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Unknown => f.write_str("unknown location"),
            Location::Rust(l) => write!(f, "{}:{}:{}", l.file(), l.line(), l.column()),
            Location::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// What kind of mistake an [`Error`] reports, for callers that treat kinds differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// Extents or ranks do not fit.
    Shape,
    /// Element types do not fit.
    DType,
    /// An axis, permutation, window or other static parameter is out of range or malformed.
    Parameter,
    /// The number of arguments, axes, leaves or outputs is wrong, or trees differ.
    Structure,
    /// A value that is only known when the program runs was needed while tracing.
    Concretization,
    /// A traced value was used after its trace had ended.
    EscapedTracer,
    /// The derivative asked for does not exist.
    NotDifferentiable,
    /// An op, dtype or device that a backend does not have.
    Unsupported,
    /// Program text that does not parse, or a program that does not verify.
    Malformed,
    /// A file or device could not be used.
    Io,
}

/// An error that a user can cause. Messages are lower case without a full stop and begin with the op or function.
#[derive(Clone, Debug)]
pub struct Error {
    /// The kind of mistake.
    pub kind: ErrorKind,
    /// The op, the argument, what was found and what is accepted.
    pub message: String,
    /// Where in the user's code.
    pub location: Location,
}

impl Error {
    /// An error without a location yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), location: Location::Unknown }
    }

    /// The same error at `location`, unless it already has one.
    pub fn at(mut self, location: &Location) -> Error {
        if matches!(self.location, Location::Unknown) {
            self.location = location.clone();
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.location {
            Location::Unknown => Ok(()),
            location @ (Location::Rust(_) | Location::Text { .. }) => write!(f, "\n  at {location}"),
        }
    }
}

impl std::error::Error for Error {}

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Returns an [`Error`] of the given kind with a formatted message.
#[macro_export]
macro_rules! bail {
    ($kind:ident, $($message:tt)*) => {
        return Err($crate::Error::new($crate::ErrorKind::$kind, format!($($message)*)))
    };
}

/// Returns an [`Error`] of the given kind with a formatted message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $kind:ident, $($message:tt)*) => {
        if !$condition {
            $crate::bail!($kind, $($message)*)
        }
    };
}
