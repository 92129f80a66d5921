//! Algebraic simplification: a program in, a cheaper program with the same meaning out.
//!
//! Two stages share one set of [rules]. While the program is read, hash-consing merges equal equations, folds
//! constants with the interpreter and applies every rule that can only make a program smaller. Then windows of a few
//! hundred equations go through equality saturation: all rules run side by side in an e-graph, and the cheapest
//! selection, counting what is shared once and starting from the program as it was, is read out. So the result never
//! costs more than the input.
//!
//! The output is a function of the input alone: limits are counts, orders are total, nothing depends on time or
//! hashing.
//!
//! ```
//! use rjax_ir::Program;
//! use rjax_rewrite::{Options, simplify_explained};
//! let text = "{ lambda ; a:f32[3]. let b:f32[3] = neg a; c:f32[3] = neg b; d:f32[3] = mul c c in (d,) }";
//! let program = Program::parse(text, "example").unwrap();
//! let (simpler, report) = simplify_explained(&program, &Options::default()).unwrap();
//! assert_eq!(simpler.to_string(), "{ lambda ; a:f32[3]. let b:f32[3] = mul a a in (b,) }");
//! assert_eq!(report.rewrites[0].rule, "neg-neg");
//! ```
//!
//! # Structure
//! `dag` is the hash-consed graph, `fold` constant folding, `hoist` loop-invariant code, `shift` exponentials that must not overflow, `known` facts, `term` what a rule sees and builds, `rules` the rules,
//! one file for each theme; `egraph`, `saturate`, `extract` and `window` are the second stage; `program` converts;
//! `cost` prices.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod code;
mod cost;
mod dag;
mod egraph;
mod extract;
mod fold;
mod hoist;
mod known;
mod program;
mod report;
pub mod rules;
mod saturate;
mod shift;
mod term;
mod window;

pub use cost::{Cost, cost};
pub use report::{Report, Rewrite};
pub use rules::{Class, Rule};

use rjax_ir::{Program, Result};
use window::Solved;

/// How far a rewrite may change the bits of a result; see [`Class`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Tier {
    /// Only what gives the same bits.
    Strict,
    /// What keeps the standard error bound of every sum and dot, and finite results finite. Products with the zeros of
    /// an identity, diagonal or one-hot matrix are left out, and exponentials that would overflow are computed so that they do
    /// not.
    #[default]
    Default,
    /// Also what may lose accuracy by cancellation or assumes finite values.
    Fast,
}

impl Tier {
    /// All tiers, the most careful first.
    pub const ALL: [Tier; 3] = [Tier::Strict, Tier::Default, Tier::Fast];

    /// The tier's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Strict => "strict",
            Tier::Default => "default",
            Tier::Fast => "fast",
        }
    }

    /// The tier with this name.
    pub fn parse(name: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// Whether rewrites of a class are allowed.
    pub const fn allows(self, class: Class) -> bool {
        match class {
            Class::Exact => true,
            Class::ZeroSign | Class::Order | Class::Rounding | Class::StructuralZero | Class::Stable => {
                !matches!(self, Tier::Strict)
            }
            Class::Cancellation | Class::Domain => matches!(self, Tier::Fast),
        }
    }
}

/// What simplification may do and how much work it may put in. All limits are counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which classes of rewrites are allowed.
    pub tier: Tier,
    /// Equations in a window of the e-graph at most.
    pub window: usize,
    /// Passes over all windows, each with other borders.
    pub passes: usize,
    /// Rounds of applying all rules in a window.
    pub iterations: usize,
    /// How many times as many nodes as equations a window may grow to.
    pub growth: usize,
    /// What a byte of an elementwise result costs beside the 50 of any other: less if it is mostly fused with its users.
    pub fused_bytes: u64,
    /// The largest program, in equations, of which several forms are priced.
    pub priced: usize,
    /// The largest constant, in elements, that folding may create or read.
    pub fold_elements: usize,
    /// The largest program, in equations, that takes the place of its calls.
    pub inline: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tier: Tier::Default,
            window: 200,
            passes: 2,
            iterations: 8,
            growth: 10,
            fused_bytes: 10,
            priced: 1000,
            fold_elements: 256,
            inline: 64,
        }
    }
}

/// What a byte of an elementwise result costs where all are fused with their users, and where none is.
const OTHER_FORMS: [u64; 2] = [0, 50];

/// A program with the same inputs and outputs that costs no more.
pub fn simplify(program: &Program, options: &Options) -> Result<Program> {
    Ok(simplify_explained(program, options)?.0)
}

/// The cheapest of several simplified forms of a program by a price for whole programs, such as the time that a fusion planner
/// expects, with its report.
///
/// The forms differ in what the e-graph was told about results of elementwise ops: that they are mostly fused with their
/// users, always, or never. Nothing is priced where they are one and the same, or hardly differ by the e-graph's own prices; and where the
/// estimates hardly differ, the first is taken.
pub fn simplify_priced(
    program: &Program,
    options: &Options,
    price: impl Fn(&Program) -> u64,
) -> Result<(Program, Report)> {
    let rules = rules::RuleSet::new(options.tier, rules::all());
    let others = if program.count_eqns() > options.priced { &[][..] } else { &OTHER_FORMS };
    let mut solved = Solved::new([&[options.fused_bytes], others].concat());
    let first = program::simplify(program, options, &rules, &mut solved)?;
    let mut forms = vec![];
    for (i, &fused_bytes) in others.iter().enumerate() {
        if !first.1.forms_differ {
            break;
        }
        solved.form = i + 1;
        let form = program::simplify(program, options, &rules, &mut solved)?;
        let [known, price] = [&first.0, &form.0].map(|form| cost::total(form, fused_bytes));
        if is_better(price, known) && forms.iter().all(|(known, _)| *known != form.0) {
            forms.push(form);
        }
    }
    if forms.is_empty() {
        return Ok(first);
    }
    let usual = price(&first.0);
    let prices: Vec<u64> = forms.iter().map(|(form, _)| price(form)).collect();
    // The first of the cheapest.
    match (0..forms.len()).min_by_key(|&i| prices[i]).filter(|&i| is_better(prices[i], usual)) {
        Some(best) => Ok(forms.swap_remove(best)),
        None => Ok(first),
    }
}

/// Whether a price is lower by so much that an estimate can tell.
fn is_better(price: u64, than: u64) -> bool {
    price < than - than / cost::FINENESS
}

/// [`simplify`], with the rewrites that survived and the cost before and after.
pub fn simplify_explained(program: &Program, options: &Options) -> Result<(Program, Report)> {
    let mut solved = Solved::new(vec![options.fused_bytes]);
    program::simplify(program, options, &rules::RuleSet::new(options.tier, rules::all()), &mut solved)
}
