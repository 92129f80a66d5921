//! What simplification did.

use std::collections::BTreeMap;
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
    /// How often each rule matched in all forms that were made, whether or not what it built is in the result; equal windows are
    /// looked at once.
    pub matched: BTreeMap<&'static str, usize>,
    /// The least exact class among all rewrites, also those whose results have gone into others.
    pub worst: Class,
    /// Whether in this program or one inside it the e-graph found forms that are cheaper by other prices.
    pub forms_differ: bool,
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

    /// A table of all rules that matched: how often, and how often what they built is in the simplified program.
    pub fn statistics(&self) -> String {
        let survived = |name: &str| -> usize {
            self.rewrites.iter().filter(|rewrite| rewrite.rule == name).map(|rewrite| rewrite.count).sum()
        };
        let mut names: Vec<&str> = self.matched.keys().copied().chain(self.rewrites.iter().map(|r| r.rule)).collect();
        names.sort();
        names.dedup();
        let mut table = format!("{:>8} {:>8}  rule\n", "matched", "survived");
        for name in names {
            // What is done to whole loops and calls is counted where it survives.
            let matched = self.matched.get(name).copied().unwrap_or(survived(name));
            table += &format!("{matched:>8} {:>8}  {name}\n", survived(name));
        }
        table
    }

    /// The least exact class among the rewrites; exact where there is none.
    pub fn weakest_class(&self) -> Class {
        self.rewrites.iter().map(|r| r.class).fold(self.worst, Class::max)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { rewrites: _, outputs, matched: _, worst: _, forms_differ: _, before, after } = self;
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
