//! What simplification did.

use std::fmt;

use crate::{Class, Cost, Rule};

/// A rule whose result stands in the simplified program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// The rule's name.
    pub rule: &'static str,
    /// The class of the rewrite; [`Class::Exact`] for every rule that acted on integers only.
    pub class: Class,
    /// What the rule asserts.
    pub identity: &'static str,
    /// How many times.
    pub count: usize,
}

/// The rewrites that survived and the cost before and after.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// In order of the rules' names, programs inside ops included.
    pub rewrites: Vec<Rewrite>,
    /// For each output the least exact class among the rewrites that it depends on.
    pub outputs: Vec<Class>,
    /// The cost of the program as given.
    pub before: Cost,
    /// The cost of the simplified program.
    pub after: Cost,
}

impl Report {
    pub(crate) fn add(&mut self, rule: &'static Rule, class: Class) {
        let key = (rule.name, class);
        match self.rewrites.binary_search_by(|r| (r.rule, r.class).cmp(&key)) {
            Ok(i) => self.rewrites[i].count += 1,
            Err(i) => {
                self.rewrites.insert(i, Rewrite { rule: rule.name, class, identity: rule.identity, count: 1 });
            }
        }
    }

    /// The least exact class among the rewrites; exact where there is none.
    pub fn weakest_class(&self) -> Class {
        self.rewrites.iter().map(|r| r.class).max().unwrap_or(Class::Exact)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { rewrites: _, outputs, before, after } = self;
        writeln!(f, "flops {} -> {}, bytes {} -> {}", before.flops, after.flops, before.bytes, after.bytes)?;
        for Rewrite { rule, class, identity, count } in &self.rewrites {
            writeln!(f, "{count} x {rule} ({class}): {identity}")?;
        }
        for (i, class) in outputs.iter().enumerate() {
            writeln!(f, "out{i}: {class} at worst")?;
        }
        Ok(())
    }
}
