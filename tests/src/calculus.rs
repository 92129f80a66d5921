//! Checks of derivatives: forward mode against finite differences, reverse mode against forward mode.

use rjax_autodiff::{jvp, linearize_program, vjp_program};
use rjax_ir::{Aval, Complex128, Element, Op, Program, Scalar, Tensor, eval, verify, with_element};

use crate::random::{Random, Values, tensor};
use crate::report::Outcome;
use crate::samples::{Derivatives, Sample, program};

/// Half the distance between the points of a finite difference.
const STEP: f64 = 1e-6;

/// A program at a point where it can be differentiated.
#[derive(Clone, Debug)]
pub struct Point {
    /// The program.
    pub program: Program,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// The inputs that may be perturbed; the derivative with respect to the others is zero or not asked for.
    pub active: Vec<bool>,
}

impl Point {
    /// The sample with inputs determined by the seed; no derivative goes through inputs that cannot be differentiated.
    pub fn of(sample: &Sample, seed: u64) -> Point {
        let avals: Vec<Aval> = sample.program.in_avals();
        let stopped = program(&avals, |b, inputs| {
            let inputs: Vec<_> = (inputs.iter().zip(&sample.inputs))
                .map(|(&x, input)| {
                    let stop = input.aval.dtype.is_inexact() && !input.differentiable;
                    if stop { b.emit1(Op::StopGradient, &[x]) } else { x }
                })
                .collect();
            b.inline(&sample.program, &inputs)
        });
        let active = sample.inputs.iter().map(|input| input.differentiable).collect();
        Point { program: stopped, inputs: sample.tensors(seed), active }
    }

    /// The forward derivative as a program of its own, at this point and a random tangent.
    pub fn forward(&self, random: &mut Random) -> Result<Point, String> {
        let tangents = self.directions(random);
        let active = [self.active.clone(), vec![true; tangents.len()]].concat();
        let program = transformed("jvp", jvp(&self.program))?;
        Ok(Point { program, inputs: [self.inputs.clone(), tangents].concat(), active })
    }

    /// The reverse derivative as a program of its own, at this point and a random cotangent.
    pub fn reverse(&self, random: &mut Random) -> Result<Point, String> {
        let cotangents: Vec<Tensor> = (self.program.out_avals().iter())
            .filter(|aval| aval.dtype.is_inexact())
            .map(|aval| Values::Uniform(-1.0, 1.0).tensor(aval, random))
            .collect();
        let active = [self.active.clone(), vec![true; cotangents.len()]].concat();
        let program = transformed("vjp", vjp_program(&self.program))?;
        Ok(Point { program, inputs: [self.inputs.clone(), cotangents].concat(), active })
    }

    /// A random tangent for each inexact input; zero where the input is not active.
    fn directions(&self, random: &mut Random) -> Vec<Tensor> {
        (self.inputs.iter().zip(&self.active))
            .filter(|(x, _)| x.dtype().is_inexact())
            .map(
                |(x, &active)| {
                    if active { Values::Uniform(-1.0, 1.0).tensor(&x.aval(), random) } else { Tensor::zeros(&x.aval()) }
                },
            )
            .collect()
    }

    /// The inputs moved along a direction.
    fn moved(&self, directions: &[Tensor], step: f64) -> Vec<Tensor> {
        let mut directions = directions.iter();
        (self.inputs.iter())
            .map(|x| {
                if !x.dtype().is_inexact() {
                    return x.clone();
                }
                let direction = directions.next().expect("a direction for each inexact input");
                let sums: Vec<Complex128> =
                    numbers(x).into_iter().zip(numbers(direction)).map(|(x, d)| x + d * step).collect();
                from_numbers(&x.aval(), &sums)
            })
            .collect()
    }

    /// The derivative of the inexact results along a direction, by finite differences.
    fn difference(&self, directions: &[Tensor]) -> Result<Vec<Vec<Complex128>>, String> {
        let after = inexact(run(&self.program, &self.moved(directions, STEP))?);
        let before = inexact(run(&self.program, &self.moved(directions, -STEP))?);
        Ok((after.iter().zip(&before))
            .map(|(a, b)| numbers(a).into_iter().zip(numbers(b)).map(|(a, b)| slope(a, b)).collect())
            .collect())
    }

    /// The forward derivative is the finite difference, and the values that come with it are the program's own.
    pub fn check_forward(&self, random: &mut Random, tolerance: f64) -> Outcome {
        let directions = self.directions(random);
        let forward = transformed("jvp", jvp(&self.program))?;
        let mut results = run(&forward, &[self.inputs.clone(), directions.clone()].concat())?;
        let tangents = results.split_off(self.program.outvars.len());
        let values = run(&self.program, &self.inputs)?;
        for (found, expected) in results.iter().zip(&values) {
            crate::compare::same(found, expected, 4.0).map_err(|e| format!("value under jvp: {e}\n{forward}"))?;
        }
        for (i, (tangent, expected)) in tangents.iter().zip(self.difference(&directions)?).enumerate() {
            close(&numbers(tangent), &expected, tolerance)
                .map_err(|e| format!("tangent {i} differs from the finite difference: {e}\n{forward}"))?;
        }
        Ok(())
    }

    /// The linearized program gives the tangents that forward mode gives.
    pub fn check_linearized(&self, random: &mut Random) -> Outcome {
        let inputs = [self.inputs.clone(), self.directions(random)].concat();
        let forward = transformed("jvp", jvp(&self.program))?;
        let expected = run(&forward, &inputs)?.split_off(self.program.outvars.len());
        let linearized = transformed("linearize", linearize_program(&self.program))?;
        let found = run(&linearized, &inputs)?;
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            crate::compare::same(found, expected, 16.0)
                .map_err(|e| format!("tangent {i} of linearize differs from jvp's: {e}\n{linearized}"))?;
        }
        let counts = (found.len(), expected.len());
        if counts.0 == counts.1 { Ok(()) } else { Err(format!("linearize and jvp give {counts:?} tangents")) }
    }

    /// `<ȳ, J v> = <Jᵀ ȳ, v>`, with `J v` from forward mode, or from finite differences if there is none.
    pub fn check_reverse(&self, random: &mut Random, has_forward: bool, tolerance: f64) -> Outcome {
        let directions = self.directions(random);
        let tangents: Vec<Vec<Complex128>> = if has_forward {
            let forward = transformed("jvp", jvp(&self.program))?;
            let mut results = run(&forward, &[self.inputs.clone(), directions.clone()].concat())?;
            results.split_off(self.program.outvars.len()).iter().map(numbers).collect()
        } else {
            self.difference(&directions)?
        };
        let reverse = self.reverse(random)?;
        let cotangents = &reverse.inputs[self.inputs.len()..];
        let mut results = run(&reverse.program, &reverse.inputs)?;
        let gradients = results.split_off(self.program.outvars.len());
        let expected_types: Vec<Aval> = directions.iter().map(Tensor::aval).collect();
        let types: Vec<Aval> = gradients.iter().map(Tensor::aval).collect();
        if types != expected_types {
            return Err(format!("cotangents have types {types:?}, expected {expected_types:?}\n{}", reverse.program));
        }
        let left = (tangents.iter().zip(cotangents)).map(|(t, c)| dot(t, &numbers(c))).fold(Sum::default(), Sum::add);
        let right = (directions.iter().zip(&gradients))
            .map(|(d, g)| dot(&numbers(d), &numbers(g)))
            .fold(Sum::default(), Sum::add);
        let allowed = tolerance * (1.0 + left.magnitude + right.magnitude);
        if (left.total - right.total).abs() <= allowed {
            return Ok(());
        }
        Err(format!("<ct, J v> = {}, but <J^T ct, v> = {}\n{}", left.total, right.total, reverse.program))
    }

    /// The checks that a sample's derivatives allow.
    pub fn check(&self, derivatives: Derivatives, random: &mut Random, tolerance: f64) -> Outcome {
        match derivatives {
            Derivatives::None => Ok(()),
            Derivatives::Forward => {
                self.check_forward(random, tolerance)?;
                self.check_linearized(random)
            }
            Derivatives::Reverse => self.check_reverse(random, false, 10.0 * tolerance),
            Derivatives::Both => {
                self.check_forward(random, tolerance)?;
                self.check_linearized(random)?;
                self.check_reverse(random, true, 1e-10)
            }
        }
    }
}

/// The difference quotient; infinities and NaN that stay what they are have slope 0.
fn slope(after: Complex128, before: Complex128) -> Complex128 {
    let part = |a: f64, b: f64| if a == b || a.is_nan() && b.is_nan() { 0.0 } else { (a - b) / (2.0 * STEP) };
    Complex128::new(part(after.re, before.re), part(after.im, before.im))
}

/// A sum and the sum of the magnitudes.
#[derive(Clone, Copy, Default)]
struct Sum {
    total: f64,
    magnitude: f64,
}

impl Sum {
    fn add(self, other: Sum) -> Sum {
        Sum { total: self.total + other.total, magnitude: self.magnitude + other.magnitude }
    }
}

/// The real part of the sum of products, without conjugation: the pairing that transposition keeps.
fn dot(x: &[Complex128], y: &[Complex128]) -> Sum {
    x.iter()
        .zip(y)
        .map(|(x, y)| (x * y).re)
        .fold(Sum::default(), |sum, p| sum.add(Sum { total: p, magnitude: p.abs() }))
}

fn close(found: &[Complex128], expected: &[Complex128], tolerance: f64) -> Outcome {
    let greatest = expected.iter().fold(1.0, |a: f64, b| a.max(b.norm()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let near = (f - e).norm() <= tolerance * greatest;
        if !near {
            return Err(format!("element {i}: found {f}, expected {e}"));
        }
    }
    if found.len() == expected.len() {
        Ok(())
    } else {
        Err(format!("{} elements, not {}", found.len(), expected.len()))
    }
}

fn inexact(tensors: Vec<Tensor>) -> Vec<Tensor> {
    tensors.into_iter().filter(|t| t.dtype().is_inexact()).collect()
}

fn numbers(t: &Tensor) -> Vec<Complex128> {
    (0..t.shape().size()).map(|i| t.get(i).to_c128()).collect()
}

fn from_numbers(aval: &Aval, numbers: &[Complex128]) -> Tensor {
    let scalars: Vec<Scalar> =
        numbers.iter().map(|&z| with_element!(aval.dtype, T => Scalar::new(T::from_c128(z)))).collect();
    tensor(aval, &scalars)
}

fn run(program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    eval(program, inputs).map_err(|e| format!("{e}\n{program}"))
}

fn transformed(transform: &str, result: rjax_ir::Result<Program>) -> Result<Program, String> {
    let program = result.map_err(|e| format!("{transform}: {e}"))?;
    verify(&program).map_err(|e| format!("{transform} gives a program that does not verify: {e}\n{program}"))?;
    Ok(program)
}
