//! The rules, as data: a name, the identity that holds, how exactly, for which dtypes, and the code that recognises it.
//!
//! A rule looks at one equation (of a kind named in `roots`) and the definitions of its operands, and builds a term
//! of the same type and value. Rules that cannot make a program larger or slower are applied at once wherever they
//! match; those marked as growing offer an alternative to the e-graph.

mod arithmetic;
mod bits;
mod compare;
mod convert;
mod distribute;
mod dot;
pub(crate) mod einsum;
pub(crate) mod elementwise;
mod layout;
mod one_hot;
mod part;
mod reduce;
mod scatter;
mod select;
mod slice;
mod stable;
mod structure;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use egg::Id;
use rjax_ir::{Aval, DTypeSet};
use rustc_hash::FxHashMap;

use crate::Tier;
pub use crate::code::Code;
use crate::term::View;
pub use crate::term::{Definition, Match, Term};

/// How near the two sides of an identity are. On integers and `bool` a rule of the first five classes is exact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Class {
    /// The same bits, whatever the operands; a NaN may carry another payload.
    #[default]
    Exact,
    /// The same but for the sign of a zero.
    ZeroSign,
    /// The same terms summed or multiplied in another order, which the semantics leaves open.
    Order,
    /// Another rounding, within the standard error bound of the original: (|A| |B|) for a dot, the sum of magnitudes
    /// for a sum.
    Rounding,
    /// The products with zeros that an identity or diagonal matrix has by construction are left out: the same where the
    /// other operand is finite, while 0 times an infinity or NaN would have been NaN.
    StructuralZero,
    /// Another rounding within the same bound where nothing overflows, and a number also where an intermediate result of the
    /// original overflows or vanishes, which would have given an infinity or NaN.
    Stable,
    /// Another rounding that may lose accuracy where terms cancel.
    Cancellation,
    /// Equal only where operands and intermediate results are finite or in some range.
    Domain,
}

impl Class {
    /// The class's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Exact => "exact",
            Class::ZeroSign => "zero sign",
            Class::Order => "order",
            Class::Rounding => "rounding",
            Class::StructuralZero => "structural zero",
            Class::Stable => "stable",
            Class::Cancellation => "cancellation",
            Class::Domain => "domain",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An identity and how to use it.
pub struct Rule {
    /// A name for people: verb and object, or op and case.
    pub name: &'static str,
    /// How exactly it holds.
    pub class: Class,
    /// The dtypes for which it holds, of the result and the operand that is not a predicate.
    pub dtypes: DTypeSet,
    /// The kinds of the equations it rewrites.
    pub roots: &'static [Code],
    /// What holds.
    pub identity: &'static str,
    /// Whether the right side may be larger, so that only the e-graph may weigh it against the left.
    pub grows: bool,
    /// What an equation becomes.
    pub apply: fn(&Match<'_>) -> Option<Term>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.name == other.name
    }
}

/// A rule that never makes a program worse.
pub(crate) const fn rule(
    name: &'static str,
    class: Class,
    dtypes: DTypeSet,
    roots: &'static [Code],
    identity: &'static str,
    apply: fn(&Match<'_>) -> Option<Term>,
) -> Rule {
    Rule { name, class, dtypes, roots, identity, grows: false, apply }
}

impl Rule {
    /// Something that is done elsewhere while a graph is built, under a name for reports.
    pub(crate) const fn built_in(name: &'static str, identity: &'static str) -> Rule {
        rule(name, Class::Exact, DTypeSet::ANY, &[], identity, |_| None)
    }

    /// The rule as one that only the e-graph applies.
    const fn growing(self) -> Rule {
        Rule { grows: true, ..self }
    }

    /// The class of the rule on these operands, if it accepts their dtypes and the tier allows it.
    pub(crate) fn class_on(&self, graph: &dyn View, inputs: &[Id], aval: &Aval, tier: Tier) -> Option<Class> {
        if !self.dtypes.contains(aval.dtype) {
            return None;
        }
        let inexact = aval.dtype.is_inexact() || inputs.iter().any(|&x| graph.avals(x)[0].dtype.is_inexact());
        let class = if !inexact && self.class <= Class::StructuralZero { Class::Exact } else { self.class };
        tier.allows(class).then_some(class)
    }
}

/// The cards of all rules as a page of Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Rules\n\nWhat simplification knows, printed by `rjax-opt rules`. The tier is the most careful one that uses the \
         rule. A rule that *grows* is an alternative that the e-graph weighs; the others are applied wherever they match. On \
         integers and `bool` the first five classes are exact.\n\n| class | what it allows | tier |\n| --- | --- | --- |\n",
    );
    for (class, meaning) in CLASSES {
        page += &format!("| {class} | {meaning} | {} |\n", tier_of(class).name());
    }
    page += "\n| rule | identity | class | dtypes | grows |\n| --- | --- | --- | --- | --- |\n";
    for rule in all() {
        let identity = rule.identity.replace('|', "\\|");
        let grows = if rule.grows { "yes" } else { "" };
        page += &format!("| `{}` | {identity} | {} | {} | {grows} |\n", rule.name, rule.class, family(rule.dtypes));
    }
    page
}

/// The classes and what they mean, in a few words.
const CLASSES: [(Class, &str); 8] = [
    (Class::Exact, "the same bits; a NaN may carry another payload"),
    (Class::ZeroSign, "the sign of a zero differs"),
    (Class::Order, "terms are summed or multiplied in another order, which the semantics leaves open"),
    (Class::Rounding, "another rounding, within the standard error bound of the original"),
    (
        Class::StructuralZero,
        "products with the zeros of an identity or diagonal matrix are left out, which infinities would notice",
    ),
    (
        Class::Stable,
        "another rounding, and a number also where an intermediate result of the original overflowed or vanished; applied wherever \
         it matches, though it may cost a little more",
    ),
    (Class::Cancellation, "another rounding that may lose accuracy where terms cancel"),
    (Class::Domain, "equal for finite values, or for values in a range"),
];

/// A set of dtypes by the name of the kind that it is, or by its members.
fn family(dtypes: DTypeSet) -> String {
    let families = [
        (DTypeSet::ANY, "any"),
        (DTypeSet::NUMBER, "numbers"),
        (DTypeSet::ORDERED, "any but complex"),
        (DTypeSet::REAL, "real numbers"),
        (DTypeSet::INEXACT, "float, complex"),
        (DTypeSet::FLOAT, "float"),
        (DTypeSet::COMPLEX, "complex"),
        (DTypeSet::BITS, "bool, int"),
        (DTypeSet::INTEGER, "int"),
    ];
    families.iter().find(|(set, _)| *set == dtypes).map_or_else(|| dtypes.to_string(), |(_, name)| name.to_string())
}

/// The most careful tier that allows a class.
fn tier_of(class: Class) -> Tier {
    Tier::ALL.into_iter().find(|tier| tier.allows(class)).expect("the last tier allows everything")
}

/// All rules, theme by theme, in the order in which they are tried.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        arithmetic::RULES,
        bits::RULES,
        compare::RULES,
        select::RULES,
        convert::RULES,
        layout::RULES,
        slice::RULES,
        reduce::RULES,
        dot::RULES,
        distribute::RULES,
        part::RULES,
        structure::RULES,
        one_hot::RULES,
        scatter::RULES,
        stable::RULES,
    ]
    .into_iter()
    .flatten()
    .chain(crate::fold::RULES)
    .chain(crate::program::RULES)
    .chain([&crate::shift::SHIFT_EXPONENTIALS])
}

/// The rules that a tier allows on some dtype, by the kind of equation they rewrite.
pub(crate) struct RuleSet {
    pub tier: Tier,
    shrinking: FxHashMap<Code, Vec<&'static Rule>>,
    growing: FxHashMap<Code, Vec<&'static Rule>>,
    /// How often each rule had something to say.
    matched: RefCell<BTreeMap<&'static str, usize>>,
}

impl RuleSet {
    pub fn new(tier: Tier, rules: impl Iterator<Item = &'static Rule>) -> RuleSet {
        let (mut shrinking, mut growing) = (FxHashMap::default(), FxHashMap::default());
        for rule in rules {
            for &root in rule.roots {
                let table: &mut FxHashMap<Code, Vec<_>> = if rule.grows { &mut growing } else { &mut shrinking };
                table.entry(root).or_default().push(rule);
            }
        }
        RuleSet { tier, shrinking, growing, matched: RefCell::default() }
    }

    /// Counts a match.
    pub fn count(&self, rule: &'static Rule) {
        *self.matched.borrow_mut().entry(rule.name).or_default() += 1;
    }

    /// How often each rule matched, by name.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.matched.borrow().clone()
    }

    pub fn shrinking(&self, code: Code) -> &[&'static Rule] {
        self.shrinking.get(&code).map_or(&[], Vec::as_slice)
    }

    pub fn growing(&self, code: Code) -> &[&'static Rule] {
        self.growing.get(&code).map_or(&[], Vec::as_slice)
    }
}
