//! Derivatives of first and second order over the whole table of samples, alone and under `vmap`, and of random programs.

use rjax_autodiff::{BatchAxis, jvp, vjp_program, vmap};
use rjax_ir::{Aval, DType, Op, Program, Tensor, Unary, eval, verify};
use rjax_tests::calculus::Point;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::Random;
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Derivatives, Sample};

fn name(sample: &Sample) -> String {
    sample.name.clone()
}

/// The samples whose derivatives of some order exist and can be compared with something.
fn samples(order: usize) -> impl Iterator<Item = Sample> {
    let wanted = move |s: &Sample| s.evaluates() && s.order >= order && s.derivatives != Derivatives::None;
    samples::all().into_iter().filter(wanted)
}

#[test]
fn first_order() {
    check_all(samples(1), name, |sample| {
        let mut random = Random::new(1);
        (0..2).try_for_each(|seed| Point::of(sample, seed).check(sample.derivatives, &mut random, sample.tolerance))
    });
}

#[test]
fn second_order() {
    check_all(samples(2), name, |sample| {
        let random = &mut Random::new(2);
        let (point, tolerance) = (Point::of(sample, 0), 10.0 * sample.tolerance);
        let within = |order: &str, outcome: Outcome| outcome.map_err(|e| format!("{order}: {e}"));
        match sample.derivatives {
            Derivatives::None => Ok(()),
            Derivatives::Forward => {
                within("of jvp", point.forward(random)?.check(Derivatives::Forward, random, tolerance))
            }
            Derivatives::Reverse => {
                within("of vjp", point.reverse(random)?.check(Derivatives::Both, random, tolerance))
            }
            Derivatives::Both => {
                within("of jvp", point.forward(random)?.check(Derivatives::Both, random, tolerance))?;
                within("of vjp", point.reverse(random)?.check(Derivatives::Both, random, tolerance))
            }
        }
    });
}

/// A sample with all inputs batched in front.
fn batched(program: &Program, lanes: usize) -> Result<Program, String> {
    let front = |count: usize| vec![Some(0); count];
    vmap(program, &BatchAxis::new(lanes), &front(program.invars.len()), &front(program.outvars.len()))
        .map_err(|e| e.to_string())
}

fn stacked(lanes: &[Vec<Tensor>]) -> Vec<Tensor> {
    (0..lanes[0].len())
        .map(|i| {
            let aval = lanes[0][i].aval();
            let bytes: Vec<u8> = lanes.iter().flat_map(|lane| lane[i].to_bytes()).collect();
            Tensor::from_bytes(&aval.with_shape(aval.shape.with_axis(0, lanes.len())), &bytes)
        })
        .collect()
}

#[test]
fn derivative_of_batched_program() {
    check_all(samples(1), name, |sample| {
        if sample.inputs.is_empty() {
            return Ok(());
        }
        let lanes: Vec<Vec<Tensor>> = (0..2).map(|seed| sample.tensors(seed)).collect();
        let point = Point::of(sample, 0);
        let program = batched(&point.program, 2)?;
        let point = Point { program, inputs: stacked(&lanes), active: point.active };
        point.check(sample.derivatives, &mut Random::new(3), sample.tolerance)
    });
}

#[test]
fn derivative_with_respect_to_what_the_lanes_share() {
    check_all(samples(1).filter(|s| s.inputs.len() > 1), name, |sample| {
        for shared in 0..sample.inputs.len() {
            let lanes: Vec<Vec<Tensor>> = (0..2).map(|seed| sample.tensors(seed)).collect();
            let mut inputs = stacked(&lanes);
            inputs[shared] = lanes[0][shared].clone();
            let in_axes: Vec<_> = (0..inputs.len()).map(|i| (i != shared).then_some(0)).collect();
            let point = Point::of(sample, 0);
            let out_axes = vec![Some(0); point.program.outvars.len()];
            let program = vmap(&point.program, &BatchAxis::new(2), &in_axes, &out_axes).map_err(|e| e.to_string())?;
            let point = Point { program, inputs, active: point.active };
            let outcome = point.check(sample.derivatives, &mut Random::new(3), sample.tolerance);
            outcome.map_err(|e| format!("input {shared} shared: {e}"))?;
        }
        Ok(())
    });
}

#[test]
fn batched_derivative() {
    check_all(samples(1), name, |sample| {
        let mut random = Random::new(4);
        for reverse in [false, true] {
            let allowed = if reverse { Derivatives::Reverse } else { Derivatives::Forward };
            if sample.derivatives != Derivatives::Both && sample.derivatives != allowed {
                continue;
            }
            let mut derivative = |seed| {
                let point = Point::of(sample, seed);
                if reverse { point.reverse(&mut random) } else { point.forward(&mut random) }
            };
            let lanes = [derivative(0)?, derivative(1)?];
            if lanes[0].inputs.is_empty() {
                continue;
            }
            let program = batched(&lanes[0].program, 2)?;
            let inputs = stacked(&lanes.clone().map(|lane| lane.inputs));
            let found = eval(&program, &inputs).map_err(|e| format!("{e}\n{program}"))?;
            let alone = lanes.map(|lane| eval(&lane.program, &lane.inputs).expect("evaluated before"));
            for (i, (found, expected)) in found.iter().zip(stacked(&alone)).enumerate() {
                rjax_tests::compare::same(found, &expected, 8.0).map_err(|e| format!("output {i}: {e}\n{program}"))?;
            }
        }
        Ok(())
    });
}

/// In dtypes that are too coarse for finite differences, derivatives at least exist and have the right types.
#[test]
fn derivatives_exist_in_every_dtype() {
    let coarse = |s: &Sample| s.evaluates() && s.order > 0 && s.derivatives == Derivatives::None;
    check_all(samples::all().into_iter().filter(coarse), name, |sample| {
        let point = Point::of(sample, 0);
        let mut random = Random::new(5);
        for derivative in [point.forward(&mut random)?, point.reverse(&mut random)?] {
            let outputs = eval(&derivative.program, &derivative.inputs).map_err(|e| e.to_string())?;
            let types: Vec<Aval> = outputs.iter().map(Tensor::aval).collect();
            if types != derivative.program.out_avals() {
                return Err(format!("results have types {types:?}\n{}", derivative.program));
            }
        }
        Ok(())
    });
}

#[test]
fn random_programs() {
    check_all(
        0..150u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, inputs) = random_program(seed, Style::Smooth);
            let active = vec![true; inputs.len()];
            let point = Point { program, inputs, active };
            point
                .check(Derivatives::Both, &mut Random::new(seed), 1e-5)
                .map_err(|e| format!("{e}\nof {}", point.program))
        },
    );
}

#[test]
fn random_programs_of_every_dtype_have_derivatives() {
    check_all(
        0..150u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, _) = random_program(seed, Style::Mixed);
            for derivative in [jvp(&program), vjp_program(&program)] {
                let derivative = derivative.map_err(|e| e.to_string())?;
                verify(&derivative).map_err(|e| format!("{e}\n{derivative}"))?;
            }
            Ok(())
        },
    );
}

/// The branch that a lane does not take has an infinite derivative at its operand; nothing of it may reach the gradient.
#[test]
fn gradient_of_batched_cond_is_free_of_nan() {
    let x = Aval::scalar(DType::F64);
    let branches = vec![
        samples::program(std::slice::from_ref(&x), |b, v| vec![b.mul_scalar(v[0], 2.0)]).into(),
        samples::program(std::slice::from_ref(&x), |b, v| vec![b.unary(Unary::Sqrt, v[0])]).into(),
    ];
    let program = samples::program(&[Aval::scalar(DType::I32), x], |b, v| b.emit(Op::Cond { branches }, v));
    for (axes, x, expected) in
        [(Some(0), Tensor::from_vec([2], vec![0.0, 4.0]), vec![2.0, 0.25]), (None, Tensor::scalar(4.0), vec![2.25])]
    {
        let batched = vmap(&program, &BatchAxis::new(2), &[Some(0), axes], &[Some(0)]).unwrap();
        let inputs = [Tensor::from_vec([2], vec![0i32, 1]), x, Tensor::from_vec([2], vec![1.0, 1.0])];
        assert_eq!(eval(&vjp_program(&batched).unwrap(), &inputs).unwrap()[1].to_vec::<f64>(), expected);
    }
    let batched = vmap(&program, &BatchAxis::new(2), &[Some(0), None], &[Some(0)]).unwrap();
    let inputs = [Tensor::from_vec([2], vec![0i32, 0]), Tensor::scalar(0.0), Tensor::from_vec([2], vec![1.0, 1.0])];
    assert_eq!(eval(&vjp_program(&batched).unwrap(), &inputs).unwrap()[1].to_vec::<f64>(), [4.0]);
}
