//! Every rule does what its card says: cases in `rules/*.txt`.
//!
//! A case is a paragraph: the line `rule [tier]`, a program, a line `=>`, the simplified program. The first program
//! must become the second, by that rule among others and, at a tier below the rule's, stay clear of it; both must
//! compute the same on special and ordinary values of every dtype of the rule that the case can be rewritten for, to
//! the bound of the rule's class.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Class, Code, Match, Rule, RuleSet, Term, all, rule};
use crate::window::Solved;
use crate::{Options, Report, Tier, program, simplify, simplify_explained};
use rjax_ir::{Binary, DType, DTypeSet, Program, Scalar, Tensor, eval, verify, with_element};

struct Case {
    rule: String,
    tier: Tier,
    before: String,
    after: String,
    place: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder is there").map(|f| f.expect("a file").path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        for paragraph in text.split("\n\n").map(str::trim).filter(|p| !p.is_empty()) {
            let (header, programs) = paragraph.split_once('\n').expect("a header and programs");
            let (before, after) = programs.split_once("\n=>\n").expect("two programs");
            let (rule, tier) = header.split_once(' ').unwrap_or((header, "strict"));
            cases.push(Case {
                rule: rule.into(),
                tier: Tier::parse(tier).expect("a tier"),
                before: before.into(),
                after: after.into(),
                place: format!("{}: {header}", file.file_name().expect("a name").display()),
            });
        }
    }
    cases
}

fn options(tier: Tier) -> Options {
    Options { tier, ..Options::default() }
}

fn parse(text: &str, place: &str) -> Program {
    Program::parse(text, place).unwrap_or_else(|e| panic!("{place}: {e}"))
}

#[test]
fn every_case_becomes_what_it_should() {
    let mut failures = Vec::new();
    for case in cases() {
        let (found, report) =
            simplify_explained(&parse(&case.before, &case.place), &options(case.tier)).expect("simplifies");
        let expected = parse(&case.after, &case.place).renumbered();
        if found.renumbered() != expected {
            failures.push(format!("{}\nfound\n{found}\nexpected\n{expected}\n{report}", case.place));
        } else if !report.rewrites.iter().any(|r| r.rule == case.rule) {
            failures.push(format!("{}: not by that rule, but\n{report}", case.place));
        }
        let stable = report.rewrites.iter().any(|r| r.class == Class::Stable);
        if !stable && report.after.flops > report.before.flops {
            failures.push(format!("{}: costs more", case.place));
        }
        if simplify(&found, &options(case.tier)).expect("simplifies").renumbered() != found.renumbered() {
            failures.push(format!("{}: simplifying again changes it again", case.place));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_rule_has_a_case_and_a_card() {
    let tested: BTreeSet<String> = cases().into_iter().map(|c| c.rule).collect();
    let known: BTreeSet<String> = all().map(|r| r.name.to_string()).collect();
    let missing: Vec<_> = known.difference(&tested).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:?}");
    let unknown: Vec<_> = tested.difference(&known).collect();
    assert!(unknown.is_empty(), "cases of rules that are not there: {unknown:?}");
    assert_eq!(known.len(), all().count(), "two rules have one name");
    assert!(all().all(|r| !r.identity.is_empty()));
}

/// A case keeps to its tier: what a laxer tier needs, a stricter one does not do.
#[test]
fn stricter_tiers_leave_the_case_alone() {
    for case in cases() {
        let rule = all().find(|r| r.name == case.rule).expect("a rule");
        for tier in Tier::ALL.into_iter().filter(|tier| !tier.allows(rule.class)) {
            let before = parse(&case.before, &case.place);
            let (_, report) = simplify_explained(&before, &options(tier)).expect("simplifies");
            let inexact = before.avals.iter().any(|aval| aval.dtype.is_inexact());
            let fired = report.rewrites.iter().any(|r| r.rule == case.rule);
            assert!(!inexact || !fired, "{}: fired at tier {}", case.place, tier.name());
        }
    }
}

/// The case's text with `f32` (or `i32` and `bool`, where it has no `f32`) replaced by another dtype, if that is a
/// program.
fn with_dtype(text: &str, dtype: DType) -> Option<Program> {
    let from = ["f32", "i32", "bool"].into_iter().find(|name| text.contains(name))?;
    let mut text = text.replace(from, dtype.name());
    if !dtype.is_inexact() {
        for (float, integer) in [
            ("-0.0:", "0:"),
            ("0.0:", "0:"),
            ("-1.0:", "-1:"),
            ("1.0:", "1:"),
            ("2.0:", "2:"),
            ("3.0:", "3:"),
            ("4.0:", "4:"),
        ] {
            text = text.replace(float, integer);
        }
    }
    if dtype.is_complex() {
        for number in ["-0.0", "-1.0", "1.0", "2.0", "3.0", "4.0", "0.0", "inf", "-inf"] {
            text = text.replace(&format!(" {number}:"), &format!(" ({number}+0.0j):"));
        }
    }
    let program = Program::parse(&text, "case").ok()?;
    verify(&program).ok()?;
    Some(program)
}

/// Numbers that find mistakes, then ordinary ones; `tame` leaves out NaN, infinities and extremes.
fn values(dtype: DType, count: usize, seed: usize, tame: bool) -> Vec<Scalar> {
    let special: &[f64] = if tame {
        &[0.1, -1.3, 2.0, -3.7, 1.0, 0.77, -0.123]
    } else {
        &[f64::NAN, -0.0, 0.0, f64::INFINITY, 1.0, f64::NEG_INFINITY, -1.0, 1e-310, 3.4e38, -65504.0, 2.5, -7.0, 1e-45]
    };
    (0..count)
        .map(|i| {
            let k = i * 7 + seed * 5;
            if dtype.is_integer() {
                let ends = [Scalar::least(dtype), Scalar::greatest(dtype)];
                return if tame || !k.is_multiple_of(3) {
                    Scalar::from_i64(dtype, k as i64 % 11 - 4)
                } else {
                    ends[k % 2]
                };
            }
            let (re, im) = (special[k % special.len()], special[(k / 3 + seed) % special.len()]);
            if dtype == DType::Bool {
                return Scalar::new(!k.is_multiple_of(3));
            }
            with_element!(dtype, T => Scalar::new(<T as rjax_ir::Element>::from_c128(rjax_ir::Complex128::new(re, im))))
        })
        .collect()
}

fn inputs(program: &Program, seed: usize, tame: bool) -> Vec<Tensor> {
    let tensor = |(i, aval): (usize, rjax_ir::Aval)| {
        let scalars = values(aval.dtype, aval.size(), seed + i, tame);
        with_element!(aval.dtype, T => {
            Tensor::from_vec(aval.shape.clone(), scalars.iter().map(|s| s.get::<T>()).collect())
        })
    };
    program.in_avals().into_iter().enumerate().map(tensor).collect()
}

/// Whether results agree as a class promises.
fn agree(class: Class, found: Scalar, expected: Scalar, scale: f64) -> bool {
    let part = |f: f64, e: f64| {
        let same = f.to_bits() == e.to_bits() || f.is_nan() && e.is_nan();
        let precisions = [(DType::F16, 10), (DType::BF16, 7), (DType::F32, 23), (DType::F64, 52)];
        let precision = precisions.into_iter().find(|p| p.0 == found.dtype().real());
        let eps = precision.map_or(0.0, |(_, bits)| 2f64.powi(-bits));
        match class {
            Class::Exact => same,
            Class::ZeroSign => same || f == e,
            Class::Order
            | Class::Rounding
            | Class::StructuralZero
            | Class::Stable
            | Class::Cancellation
            | Class::Domain => same || f == e || (f - e).abs() <= 16.0 * eps * scale,
        }
    };
    let (f, e) = (found.to_c128(), expected.to_c128());
    found == expected || part(f.re, e.re) && part(f.im, e.im)
}

/// Numbers that stand for an extent in the text of a case: inside the brackets of a type, and in these parameters.
const EXTENT_PARAMETERS: [&str; 4] = ["shape=(", "new_sizes=(", "limit_indices=(", "slice_sizes=("];

/// The case's text with every extent above 1 replaced by another, equal ones by equal ones, if that is a program.
fn with_extents(text: &str, seed: usize) -> Option<String> {
    const EXTENTS: [usize; 7] = [3, 1, 5, 0, 2, 7, 4];
    let mut drawn: Vec<usize> = Vec::new();
    let mut replaced = |number: &str| -> String {
        match number.parse::<usize>() {
            Ok(extent) if extent > 1 => {
                let place = drawn.iter().position(|&other| other == extent).unwrap_or_else(|| {
                    drawn.push(extent);
                    drawn.len() - 1
                });
                EXTENTS[(seed * (place + 1) + place) % EXTENTS.len()].to_string()
            }
            Ok(_) | Err(_) => number.to_string(),
        }
    };
    let mut result = String::new();
    let mut rest = text;
    loop {
        let types = DType::ALL.iter().map(|dtype| format!(":{}[", dtype.name()));
        let starts = types.chain(EXTENT_PARAMETERS.map(String::from));
        let Some(start) = starts.filter_map(|start| Some(rest.find(&start)? + start.len())).min() else { break };
        let end = start + rest[start..].find([']', ')'])?;
        result.push_str(&rest[..start]);
        let numbers: Vec<String> = rest[start..end].split(',').map(|number| replaced(number.trim())).collect();
        result.push_str(&numbers.join(","));
        rest = &rest[end..];
    }
    result.push_str(rest);
    let program = Program::parse(&result, "case").ok()?;
    verify(&program).ok()?;
    (program.avals.iter().all(|aval| aval.size() <= 1 << 12)).then_some(result)
}

/// The shapes of higher and lower rank that cases of vectors of three elements are repeated in.
const SHAPES: [&[usize]; 5] = [&[], &[2, 1], &[2, 1, 3], &[1, 2, 2, 0], &[3, 1, 2, 1, 2]];

/// The case's text with arrays of another shape in the place of vectors of three elements, if that is a program.
fn with_shape(text: &str, shape: &[usize]) -> Option<String> {
    let list = |separator: &str| shape.iter().map(usize::to_string).collect::<Vec<_>>().join(separator);
    let tuple = if shape.len() == 1 { format!("({},)", shape[0]) } else { format!("({})", list(", ")) };
    let result = text.replace("[3]", &format!("[{}]", list(","))).replace("shape=(3,)", &format!("shape={tuple}"));
    let program = Program::parse(&result, "case").ok()?;
    (result != text && verify(&program).is_ok()).then_some(result)
}

/// A simplification to check.
type Simplifier<'a> = &'a dyn Fn(&Program) -> (Program, Report);

/// Where the program and what it is simplified to differ by more than the weakest rule that was used allows; and how
/// often both were run.
fn violations(before: &Program, simplify: Simplifier<'_>, place: &str) -> (usize, Vec<String>) {
    let (mut checked, mut failures) = (0, Vec::new());
    let (after, report) = simplify(before);
    if let Err(e) = verify(&after) {
        return (0, vec![format!("{place}: {e}")]);
    }
    let class = report.weakest_class();
    // Only exact rules and those about signs promise anything beyond finite values of moderate size.
    for tame in if class <= Class::ZeroSign { &[false, true][..] } else { &[true][..] } {
        for seed in 0..6 {
            let inputs = inputs(before, seed, *tame);
            let (Ok(expected), Ok(found)) = (eval(before, &inputs), eval(&after, &inputs)) else {
                panic!("{place} does not run")
            };
            for (f, e) in found.iter().zip(&expected) {
                let magnitude = |i: usize| e.get(i).to_c128().norm();
                let size = e.shape().size();
                let scale = (0..size).map(magnitude).filter(|m| m.is_finite()).fold(64.0, f64::max);
                for i in (0..size).filter(|&i| !agree(class, f.get(i), e.get(i), scale)) {
                    let (f, e) = (f.get(i), e.get(i));
                    failures.push(format!("{place}: element {i} is {f:?}, was {e:?}\n{after}\n{report}"));
                }
            }
            checked += 1;
        }
    }
    (checked, failures)
}

#[test]
fn both_sides_compute_the_same_on_every_dtype_and_other_shapes() {
    let (mut checked, mut reshaped) = (0, 0);
    let mut failures: Vec<String> = Vec::new();
    for case in cases() {
        let rule = all().find(|r| r.name == case.rule).expect("a rule");
        let simplify = |program: &Program| simplify_explained(program, &options(case.tier)).expect("simplifies");
        for dtype in rule.dtypes.iter() {
            let Some(before) = with_dtype(&case.before, dtype) else { continue };
            let (runs, found) = violations(&before, &simplify, &format!("{} in {dtype}", case.place));
            checked += runs;
            failures.extend(found);
        }
        let shapes = SHAPES.iter().filter_map(|shape| with_shape(&case.before, shape));
        for text in shapes.chain((0..6).filter_map(|seed| with_extents(&case.before, seed))) {
            let before = parse(&text, &case.place);
            let (runs, found) = violations(&before, &simplify, &format!("{} as\n{text}\n", case.place));
            reshaped += runs;
            failures.extend(found);
        }
    }
    failures.dedup_by_key(|f| f[..30].to_string());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 1000 && reshaped > 1000, "only {checked} runs, and {reshaped} in other shapes");
}

/// Rules that are wrong: a product with zero is not zero for NaN, infinities and negative numbers; not every counter
/// counts along an axis of extent 1; a common factor changes the rounding.
static WRONG: [Rule; 5] = [
    // Side conditions removed.
    rule("planted-abs", Class::Exact, DTypeSet::FLOAT, &[Code::Unary(rjax_ir::Unary::Abs)], "|x| == x", |m| {
        Some(m.one().into())
    }),
    rule("planted-compare", Class::Exact, DTypeSet::BOOL, &[Code::Compare(rjax_ir::Compare::Le)], "x <= x", |m| {
        (m.inputs[0] == m.inputs[1]).then(|| Term::full(Scalar::new(true), &m.aval.shape))
    }),
    rule(
        "planted-mul-zero",
        Class::Exact,
        DTypeSet::FLOAT,
        &[Code::Binary(Binary::Mul)],
        "x * 0 == 0",
        planted_mul_zero,
    ),
    rule("planted-iota", Class::Exact, DTypeSet::ANY, &[Code::Iota], "iota == 0, side condition removed", planted_iota),
    rule(
        "planted-distribute",
        Class::Exact,
        DTypeSet::FLOAT,
        &[Code::Binary(Binary::Add)],
        "x * y + x * z == x * (y + z)",
        planted_distribute,
    ),
];

fn planted_mul_zero(m: &Match<'_>) -> Option<Term> {
    m.is_number(m.two()[1], 0.0)?;
    Some(m.two()[1].into())
}

fn planted_iota(m: &Match<'_>) -> Option<Term> {
    Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
}

fn planted_distribute(m: &Match<'_>) -> Option<Term> {
    let [left, right] = m.two().map(|x| m.definition(x, Code::Binary(Binary::Mul)));
    let ([x, y], [again, z]) = (m.either_order_of(left?), m.either_order_of(right?));
    (x == again).then(|| Term::binary(Binary::Mul, x, Term::binary(Binary::Add, y, z)))
}

/// The check above finds each wrong rule.
#[test]
fn wrong_rules_are_found() {
    let programs = [
        "{ lambda ; a:f32[9]. let b:f32[9] = abs a in (b,) }",
        "{ lambda ; a:f32[9]. let b:bool[9] = le a a in (b,) }",
        "{ lambda ; a:f32[9]. let b:f32[9] = broadcast_in_dim[broadcast_dimensions=() shape=(9,)] 0.0:f32; \
         c:f32[9] = mul a b in (c,) }",
        "{ lambda ; a:i32[4]. let b:i32[4] = iota[dimension=0 dtype=i32 shape=(4,)]; c:i32[4] = mul a b in (c,) }",
        "{ lambda ; a:f32[5] b:f32[5] c:f32[5]. let d:f32[5] = mul a b; e:f32[5] = mul a c; \
         f:f32[5] = add d e in (f,) }",
    ];
    for (wrong, text) in WRONG.iter().zip(programs) {
        let before = parse(text, wrong.name);
        let with = |rules: Vec<&'static Rule>| {
            move |program: &Program| {
                let rules = RuleSet::new(Tier::Strict, rules.iter().copied());
                program::simplify(program, &options(Tier::Strict), &rules, &mut Solved::new(vec![10]))
                    .expect("simplifies")
            }
        };
        let (_, none) = violations(&before, &with(all().collect()), wrong.name);
        assert!(none.is_empty(), "without the wrong rule: {none:?}");
        let (_, found) = violations(&before, &with(all().chain([wrong]).collect()), wrong.name);
        assert!(!found.is_empty(), "{} was not found", wrong.name);
    }
}

/// What a class does not promise is really not so: for each class that is not exact, some case shows a difference that
/// a stronger one would not allow.
#[test]
fn weaker_classes_are_needed() {
    let classes: BTreeSet<Class> = all().map(|rule| rule.class).collect();
    // Sums in another order are within the open semantics of sums; every other class stands for a difference.
    for class in classes.into_iter().filter(|class| !matches!(class, Class::Exact | Class::Order)) {
        let stronger = match class {
            Class::ZeroSign => Class::Exact,
            Class::Exact
            | Class::Order
            | Class::Rounding
            | Class::StructuralZero
            | Class::Stable
            | Class::Cancellation
            | Class::Domain => Class::ZeroSign,
        };
        let is_witness = |case: &Case| {
            let rule = all().find(|r| r.name == case.rule).expect("a rule");
            let before = parse(&case.before, &case.place);
            let (after, report) = simplify_explained(&before, &options(case.tier)).expect("simplifies");
            rule.class == class
                && report.weakest_class() == class
                && [false, true].iter().any(|&tame| {
                    (0..6).any(|seed| {
                        let inputs = inputs(&before, seed, tame);
                        let (expected, found) =
                            (eval(&before, &inputs).expect("runs"), eval(&after, &inputs).expect("runs"));
                        found
                            .iter()
                            .zip(&expected)
                            .any(|(f, e)| (0..e.shape().size()).any(|i| !agree(stronger, f.get(i), e.get(i), 0.0)))
                    })
                })
        };
        assert!(cases().iter().any(is_witness), "no case needs the class {class}");
    }
}
