//! Taking parsed parameters one by one, with errors that name the op and the parameter.

use std::sync::Arc;

use super::error::did_you_mean;
use super::param::{Field, Param};
use super::print::param_line;

/// A mistake in a parameter: the token it is about, and what is wrong.
pub(super) struct ReadError {
    pub(super) token: usize,
    pub(super) message: String,
}

pub(super) type Read<T> = Result<T, ReadError>;

/// One `name=value` of the text.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) value: Param,
    /// The token of the name.
    pub(super) token: usize,
}

/// The parameters of one equation (or of a record in them) that have not been taken yet.
pub(super) struct Reader<'o> {
    /// The op or record, which begins error messages.
    of: &'o str,
    /// The token of the op, for parameters that are missing.
    token: usize,
    entries: Vec<(Entry, bool)>,
    asked: Vec<&'static str>,
}

impl<'o> Reader<'o> {
    pub(super) fn new(of: &'o str, token: usize, entries: Vec<Entry>) -> Reader<'o> {
        Reader { of, token, entries: entries.into_iter().map(|entry| (entry, false)).collect(), asked: vec![] }
    }

    fn find(&mut self, name: &'static str) -> Option<&Entry> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        let (entry, taken) = self.entries.iter_mut().find(|(entry, _)| *entry.name == *name)?;
        *taken = true;
        Some(entry)
    }

    /// An error about a parameter that is there.
    pub(super) fn error(&self, name: &str, message: String) -> ReadError {
        let token = self.entries.iter().find(|(entry, _)| *entry.name == *name).map_or(self.token, |(e, _)| e.token);
        ReadError { token, message: format!("{}: parameter {name}: {message}", self.of) }
    }

    fn missing(&self, name: &str) -> ReadError {
        let untaken: Vec<&str> = self.entries.iter().filter(|(_, taken)| !taken).map(|(e, _)| &*e.name).collect();
        let given = if untaken.is_empty() { String::new() } else { format!("; found {}", untaken.join(", ")) };
        ReadError { token: self.token, message: format!("{}: parameter {name} is missing{given}", self.of) }
    }

    fn unexpected(&self, name: &str, value: &Param, expected: &str) -> ReadError {
        let found = param_line(value);
        let found = if found.chars().count() > 60 {
            format!("{}…", found.chars().take(60).collect::<String>())
        } else {
            found
        };
        self.error(name, format!("expected {expected}, found {found}"))
    }

    /// A parameter that must be there.
    pub(super) fn take<T: Field>(&mut self, name: &'static str) -> Read<T> {
        match self.find(name) {
            Some(entry) => {
                let value = entry.value.clone();
                T::from_param(&value).ok_or_else(|| self.unexpected(name, &value, &T::expected()))
            }
            None => Err(self.missing(name)),
        }
    }

    /// A parameter that may be left out.
    pub(super) fn take_or<T: Field>(&mut self, name: &'static str, default: T) -> Read<T> {
        if self.entries.iter().any(|(entry, _)| *entry.name == *name) {
            return self.take(name);
        }
        self.asked.push(name);
        Ok(default)
    }

    /// A parameter that may be left out or `None`.
    pub(super) fn take_unless_none<T: Field>(&mut self, name: &'static str) -> Read<Option<T>> {
        match self.find(name) {
            None | Some(Entry { value: Param::None, .. }) => Ok(None),
            Some(_) => self.take(name).map(Some),
        }
    }

    /// A parameter that is a record with this name; its fields are then taken in turn.
    pub(super) fn take_record(&mut self, name: &'static str, record: &'static str) -> Read<Reader<'static>> {
        let Some(entry) = self.find(name) else { return Err(self.missing(name)) };
        let token = entry.token;
        if let Param::Record(found, fields) = &entry.value
            && **found == *record
        {
            let field = |(name, value): &(Arc<str>, Param)| Entry { name: name.clone(), value: value.clone(), token };
            return Ok(Reader::new(record, token, fields.iter().map(field).collect()));
        }
        let value = entry.value.clone();
        Err(self.unexpected(name, &value, &format!("{record}(…)")))
    }

    /// The end: nothing may be left.
    pub(super) fn finish(self) -> Read<()> {
        let Some((entry, _)) = self.entries.iter().find(|(_, taken)| !taken) else { return Ok(()) };
        let hint = did_you_mean(&entry.name, self.asked.iter().copied());
        let known =
            if self.asked.is_empty() { "it has none".into() } else { format!("it has {}", self.asked.join(", ")) };
        let message = format!("{}: unknown parameter {}{hint} ({known})", self.of, entry.name);
        Err(ReadError { token: entry.token, message })
    }
}
