//! The rules of simplification where their own crate cannot look: at other ranks, and beside the transformations.
//!
//! The cases of `rewrite/tests/rules` are batched once and twice, at random axes and sizes, so that every rule meets programs of
//! ranks up to 5 with sizes 0, 1 and primes; what simplification makes of them computes the same.

use std::path::Path;

use rjax_autodiff::{BatchAxis, vmap};
use rjax_ir::{Program, Tensor, eval, verify};
use rjax_rewrite::{Class, Options, Tier, simplify, simplify_explained};
use rjax_tests::calculus::Point;
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::{Random, Values};
use rjax_tests::report::{Outcome, check_all};

/// A case's rule, tier, and program before.
struct Case {
    name: String,
    tier: Tier,
    program: Program,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rewrite/tests/rules");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut cases = vec![];
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        for (number, paragraph) in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()).enumerate() {
            let (header, programs) = paragraph.split_once('\n').expect("a header and programs");
            let (before, _) = programs.split_once("\n=>\n").expect("two programs");
            let (rule, tier) = header.split_once(' ').unwrap_or((header, "strict"));
            let name = format!("{rule}, paragraph {number} of {}", file.file_name().expect("a name").display());
            let program = Program::parse(before, &name).expect("a program");
            cases.push(Case { tier: Tier::parse(tier).expect("a tier"), program, name });
        }
    }
    cases
}

/// Simplifies at a tier and compares what the programs compute, as exactly as the weakest rule promises.
fn keeps_values(program: &Program, tier: Tier, random: &mut Random) -> Outcome {
    let (after, report) =
        simplify_explained(program, &Options { tier, ..Options::default() }).map_err(|e| e.to_string())?;
    let context = |e: String| format!("{e}\n{program}\nbecame\n{after}\n{report}");
    verify(&after).map_err(|e| context(e.to_string()))?;
    let class = report.weakest_class();
    let (values, ulps) = match class {
        Class::Exact => (Values::Special, 0.0),
        // Anything above 0 lets the signs of zeros differ.
        Class::ZeroSign => (Values::Special, 1e-9),
        Class::Order
        | Class::Rounding
        | Class::StructuralZero
        | Class::Stable
        | Class::Cancellation
        | Class::Domain => (Values::Uniform(-2.0, 2.0), 256.0),
    };
    let inputs: Vec<Tensor> = program.in_avals().iter().map(|aval| values.tensor(aval, random)).collect();
    let expected = eval(program, &inputs).map_err(|e| context(e.to_string()))?;
    let found = eval(&after, &inputs).map_err(|e| context(e.to_string()))?;
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same(found, expected, ulps).map_err(|e| context(format!("output {i}: {e}")))?;
    }
    Ok(())
}

/// The program with some of its inputs batched, at random axes.
fn batched(program: &Program, random: &mut Random) -> Result<Program, String> {
    let lanes = *random.pick(&[0, 1, 2, 3, 5, 7]);
    let mut axes: Vec<Option<usize>> =
        program.in_avals().iter().map(|aval| (random.below(3) > 0).then(|| random.below(aval.rank() + 1))).collect();
    if axes.iter().all(Option::is_none) && !axes.is_empty() {
        axes[0] = Some(0);
    }
    let outputs: Vec<Option<usize>> =
        program.out_avals().iter().map(|aval| Some(random.below(aval.rank() + 1))).collect();
    vmap(program, &BatchAxis::new(lanes), &axes, &outputs).map_err(|e| e.to_string())
}

#[test]
fn rules_hold_at_higher_ranks() {
    let mut ranks = [0; 6];
    for (number, case) in cases().iter().enumerate().filter(|(_, case)| !case.program.invars.is_empty()) {
        for seed in 0..6 {
            let mut random = Random::new(number as u64 * 100 + seed);
            let once = batched(&case.program, &mut random).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let twice = batched(&once, &mut random).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            for program in [once, twice] {
                if program.avals.iter().any(|aval| aval.size() > 20_000) {
                    continue;
                }
                keeps_values(&program, case.tier, &mut random).unwrap_or_else(|e| panic!("{}: {e}", case.name));
                let rank = program.avals.iter().map(|aval| aval.rank()).max().unwrap_or(0);
                ranks[rank.min(5)] += 1;
            }
        }
    }
    assert!(ranks[2..].iter().all(|&count| count > 50), "programs by rank: {ranks:?}");
}

/// The derivative of a simplified program is the derivative of the program.
#[test]
fn simplification_commutes_with_differentiation() {
    check_all(
        2000..2060u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, inputs) = random_program(seed, Style::Smooth);
            let simpler = simplify(&program, &Options::default()).map_err(|e| e.to_string())?;
            let reverse = |program: Program| {
                let active = vec![true; inputs.len()];
                Point { program, inputs: inputs.clone(), active }.reverse(&mut Random::new(seed))
            };
            let (wanted, found) = (reverse(program)?, reverse(simpler)?);
            let [wanted, found] =
                [wanted, found].map(|point| eval(&point.program, &point.inputs).map_err(|e| e.to_string()));
            for (wanted, found) in wanted?.iter().zip(&found?) {
                same(found, wanted, 4096.0)?;
            }
            Ok(())
        },
    );
}

/// The result does not depend on what else runs, or on which thread.
#[test]
fn threads_simplify_alike() {
    let programs: Vec<Program> = (0..24).map(|seed| random_program(seed, Style::Mixed).0).collect();
    let all = || {
        let text = |program: &Program| simplify(program, &Options::default()).expect("simplifies").to_string();
        programs.iter().map(text).collect::<Vec<_>>()
    };
    let wanted = all();
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
        for other in others {
            assert_eq!(other.join().expect("no panic"), wanted);
        }
    });
}
