//! `vmap(f)` is `f` applied to each lane: over the whole table of samples, over named axes and over random programs.

use rjax_autodiff::{BatchAxis, batch, vmap};
use rjax_ir::{Aval, Builder, Collective, DType, Interpreter, Op, Program, Scalar, Scan, Tensor, eval, verify};
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::{Random, Values, tensor};
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Sample};

/// Lanes put together along a new axis.
fn stack(lanes: &[Tensor], axis: usize, aval: &Aval) -> Tensor {
    let stacked = aval.with_shape(aval.shape.with_axis(axis, lanes.len()));
    let lane_strides = aval.shape.strides();
    let scalars: Vec<Scalar> = stacked
        .shape
        .indices()
        .map(|mut index| {
            let lane = index.remove(axis);
            lanes[lane].get(index.iter().zip(&lane_strides).map(|(i, stride)| i * stride).sum())
        })
        .collect();
    tensor(&stacked, &scalars)
}

/// Which inputs are batched, and where.
type Axes = Vec<Option<usize>>;

/// Every input alone, all together and, where there are few, every combination; in front and somewhere else.
fn in_axes(avals: &[Aval], random: &mut Random) -> Vec<Axes> {
    let count = avals.len();
    let all = (1usize << count) - 1;
    let combinations: Vec<usize> = if count <= 3 {
        (1..=all).collect()
    } else {
        (0..count).map(|i| 1 << i).chain([all, all & 0b1010_1010, all & 0b0101_0101]).collect()
    };
    let mut found: Vec<Axes> = Vec::new();
    for combination in combinations {
        let batched = |i: usize| combination >> i & 1 == 1;
        found.push((0..count).map(|i| batched(i).then_some(0)).collect());
        found.push((0..count).map(|i| batched(i).then(|| random.below(avals[i].rank() + 1))).collect());
    }
    found.dedup();
    found
}

/// Compares a batched program with its lanes one by one.
fn check_lanes(program: &Program, lanes: &[Vec<Tensor>], axes: &Axes, ulps: f64) -> Outcome {
    let in_avals = program.in_avals();
    let inputs: Vec<Tensor> = (axes.iter().enumerate())
        .map(|(i, axis)| {
            let column: Vec<Tensor> = lanes.iter().map(|lane| lane[i].clone()).collect();
            axis.map_or_else(|| column[0].clone(), |axis| stack(&column, axis, &in_avals[i]))
        })
        .collect();
    let (batched, out_axes) = batch(program, &BatchAxis::new(lanes.len()), axes).map_err(|e| e.to_string())?;
    let context = |e: String| format!("in_axes {axes:?}: {e}\n{batched}");
    let found = eval(&batched, &inputs).map_err(|e| context(e.to_string()))?;
    let expected: Vec<Vec<Tensor>> =
        (lanes.iter().map(|lane| eval(program, lane))).collect::<Result<_, _>>().map_err(|e| context(e.to_string()))?;
    for (output, (found, &axis)) in found.iter().zip(&out_axes).enumerate() {
        let column: Vec<Tensor> = expected.iter().map(|lane| lane[output].clone()).collect();
        let expected = match axis {
            Some(axis) => vec![stack(&column, axis, &program.out_avals()[output])],
            None => column,
        };
        for expected in &expected {
            same(found, expected, ulps).map_err(|e| context(format!("output {output}: {e}")))?;
        }
    }
    Ok(())
}

/// Inputs of each lane; shared inputs are those of the first.
fn lanes(sample: &Sample, axes: &Axes, count: usize) -> Vec<Vec<Tensor>> {
    let mut lanes: Vec<Vec<Tensor>> = (0..count as u64).map(|lane| sample.tensors(100 + lane)).collect();
    for lane in 1..count {
        for (i, axis) in axes.iter().enumerate() {
            if axis.is_none() {
                lanes[lane][i] = lanes[0][i].clone();
            }
        }
    }
    lanes
}

#[test]
fn batched_program_computes_every_lane() {
    check_all(
        samples::all().into_iter().filter(Sample::evaluates),
        |s| s.name.clone(),
        |sample| {
            let mut random = Random::new(7);
            for axes in in_axes(&sample.program.in_avals(), &mut random) {
                check_lanes(&sample.program, &lanes(sample, &axes, 3), &axes, sample.ulps)?;
            }
            Ok(())
        },
    );
}

#[test]
fn one_lane_and_no_lane() {
    check_all(
        samples::all().into_iter().filter(Sample::evaluates),
        |s| s.name.clone(),
        |sample| {
            let axes: Axes = sample.inputs.iter().map(|_| Some(0)).collect();
            if axes.is_empty() {
                return Ok(());
            }
            check_lanes(&sample.program, &lanes(sample, &axes, 1), &axes, sample.ulps)?;
            let out_axes: Axes = sample.program.outvars.iter().map(|_| Some(0)).collect();
            let batched = vmap(&sample.program, &BatchAxis::new(0), &axes, &out_axes).map_err(|e| e.to_string())?;
            let inputs: Vec<Tensor> = batched.in_avals().iter().map(Tensor::zeros).collect();
            let outputs = eval(&batched, &inputs).map_err(|e| format!("no lanes: {e}\n{batched}"))?;
            let expected: Vec<Aval> =
                (sample.program.out_avals().iter()).map(|aval| aval.with_shape(aval.shape.with_axis(0, 0))).collect();
            let found: Vec<Aval> = outputs.iter().map(Tensor::aval).collect();
            if found == expected { Ok(()) } else { Err(format!("no lanes: found {found:?}")) }
        },
    );
}

#[test]
fn batched_twice() {
    check_all(
        samples::all().into_iter().filter(Sample::evaluates),
        |s| s.name.clone(),
        |sample| {
            let axes: Axes = sample.inputs.iter().map(|_| Some(0)).collect();
            let out_axes: Axes = sample.program.out_avals().iter().map(|aval| Some(aval.rank())).collect();
            if axes.is_empty() {
                return Ok(());
            }
            let once = vmap(&sample.program, &BatchAxis::new(2), &axes, &out_axes).map_err(|e| e.to_string())?;
            let inner: Vec<Vec<Tensor>> = (0..3)
                .map(|outer| {
                    let lanes: Vec<Vec<Tensor>> = (0..2).map(|lane| sample.tensors(10 * outer + lane)).collect();
                    (0..axes.len())
                        .map(|i| stack(&[lanes[0][i].clone(), lanes[1][i].clone()], 0, &sample.inputs[i].aval))
                        .collect()
                })
                .collect();
            check_lanes(&once, &inner, &axes, sample.ulps)
        },
    );
}

#[test]
fn random_programs_are_batched_lane_by_lane() {
    check_all(
        0..300u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, first) = random_program(seed, Style::Mixed);
            verify(&program).map_err(|e| e.to_string())?;
            let mut random = Random::new(seed);
            let axes: Axes = (program.in_avals().iter())
                .map(|aval| (random.below(3) > 0).then(|| random.below(aval.rank() + 1)))
                .collect();
            let mut lanes = vec![first; 3];
            for (i, axis) in axes.iter().enumerate().filter(|(_, axis)| axis.is_some()) {
                let _ = axis;
                for lane in &mut lanes {
                    lane[i] = Values::Signed(0.1, 4.0).tensor(&lane[i].aval(), &mut random);
                }
            }
            check_lanes(&program, &lanes, &axes, 4.0)
        },
    );
}

/// What a collective over the batch axis gives, from the lanes' inputs.
fn expected_collective(collective: &Collective, lanes: &[Vec<Tensor>], output: usize) -> Tensor {
    let aval = lanes.first().map_or(Aval::scalar(DType::I32), |lane| lane[output].aval());
    let column: Vec<Tensor> = lanes.iter().map(|lane| lane[output].clone()).collect();
    let reducer = match collective {
        Collective::Psum { .. } => rjax_ir::Reducer::Sum,
        Collective::Pmax { .. } => rjax_ir::Reducer::Max,
        Collective::Pmin { .. } => rjax_ir::Reducer::Min,
        Collective::AxisIndex { .. } => unreachable!("has no operand"),
    };
    let program = samples::program(&[aval.with_shape(aval.shape.with_axis(0, lanes.len()))], |b, x| {
        vec![b.reduce(reducer, x[0], &[0])]
    });
    eval(&program, &[stack(&column, 0, &aval)]).expect("a reduction").remove(0)
}

#[test]
fn collectives_over_the_batch_axis() {
    check_all(
        samples::all().into_iter().filter(|s| s.axis.is_some()),
        |s| s.name.clone(),
        |sample| {
            let Op::Collective(collective) = &sample.program.eqns[0].op else {
                return Err("expected one collective".into());
            };
            let axis = BatchAxis { size: 3, name: sample.axis.clone() };
            let Collective::AxisIndex { .. } = collective else {
                for axes in in_axes(&sample.program.in_avals(), &mut Random::new(3)) {
                    let lanes = lanes(sample, &axes, 3);
                    let (batched, out_axes) = batch(&sample.program, &axis, &axes).map_err(|e| e.to_string())?;
                    if out_axes.iter().any(Option::is_some) {
                        return Err(format!("all lanes get the same, but out_axes are {out_axes:?}"));
                    }
                    let inputs: Vec<Tensor> = (axes.iter().enumerate())
                        .map(|(i, axis)| {
                            let column: Vec<Tensor> = lanes.iter().map(|lane| lane[i].clone()).collect();
                            axis.map_or_else(|| lanes[0][i].clone(), |at| stack(&column, at, &sample.inputs[i].aval))
                        })
                        .collect();
                    let outputs = eval(&batched, &inputs).map_err(|e| e.to_string())?;
                    for (i, output) in outputs.iter().enumerate() {
                        same(output, &expected_collective(collective, &lanes, i), sample.ulps)?;
                    }
                }
                return Ok(());
            };
            let batched = vmap(&sample.program, &axis, &[], &[Some(0)]).map_err(|e| e.to_string())?;
            same(&eval(&batched, &[]).map_err(|e| e.to_string())?[0], &Tensor::from_vec([3], vec![0i32, 1, 2]), 0.0)
        },
    );
}

#[test]
fn collectives_inside_of_control_flow_and_over_two_axes() {
    // The mean over both axes, from within a call; the inner vmap leaves the outer name alone.
    let x = Aval::scalar(DType::F64);
    let psum =
        |names: &[&str]| Op::Collective(Collective::Psum { axes: names.iter().map(|&name| name.into()).collect() });
    let callee = samples::program(std::slice::from_ref(&x), |b, v| {
        let total = b.emit1(psum(&["inner", "outer"]), v);
        let count = b.emit1(psum(&["inner", "outer"]), &[Scalar::one(DType::F64).into()]);
        vec![b.div(total, count)]
    });
    let program = samples::program(&[x], |b, v| {
        let mean = b.call("mean", callee.into(), v)[0];
        let lane = b.emit1(Op::Collective(Collective::AxisIndex { axis: "outer".into() }), &[]);
        vec![b.sub(v[0], mean), lane]
    });
    let inner = vmap(&program, &BatchAxis::named(3, "inner"), &[Some(0)], &[Some(0), None]).unwrap();
    let both = vmap(&inner, &BatchAxis::named(2, "outer"), &[Some(0)], &[Some(0), Some(0)]).unwrap();
    let outputs = eval(&both, &[Tensor::from_vec([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 9.0])]).unwrap();
    assert_eq!(outputs[0].to_vec::<f64>(), [-3.0, -2.0, -1.0, 0.0, 1.0, 5.0]);
    assert_eq!(outputs[1].to_vec::<i32>(), [0, 1]);
}

#[test]
fn debug_print_prints_each_lane_in_order() {
    let print = samples::all().into_iter().find(|sample| sample.program.has_effect()).expect("a sample that prints");
    let (batched, _) = batch(&print.program, &BatchAxis::new(2), &[Some(1), None]).unwrap();
    let mut lines = Vec::new();
    let inputs = [Tensor::from_vec([3, 2], vec![1.0f32, 4.0, 2.0, 5.0, 3.0, 6.0]), Tensor::scalar(7i32)];
    Interpreter::new(&mut |line| lines.push(line.to_string())).eval(&batched, &inputs).unwrap();
    let mut alone = Vec::new();
    for lane in [[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]] {
        let inputs = [Tensor::from_vec([3], lane.to_vec()), Tensor::scalar(7i32)];
        Interpreter::new(&mut |line| alone.push(line.to_string())).eval(&print.program, &inputs).unwrap();
    }
    assert_eq!(lines, alone);
    assert_eq!(lines.len(), 2);
}

#[test]
fn mistakes_in_axes_are_named() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [3]));
    let y = b.input(Aval::scalar(DType::F32));
    let program = b.finish(vec![x, y]);
    let axis = BatchAxis::new(2);
    let rows: [(&[Option<usize>], &[Option<usize>], &str); 5] = [
        (&[Some(0)], &[Some(0), None], "vmap: in_axes: found 1 entries for 2 inputs"),
        (&[Some(0), None], &[Some(0)], "vmap: out_axes: found 1 entries for 2 outputs"),
        (
            &[Some(2), None],
            &[Some(0), None],
            "vmap: in_axes: axis 2 of input 0 is out of range: with the batch axis f32[3] has rank 2",
        ),
        (
            &[Some(0), None],
            &[Some(0), Some(1)],
            "vmap: out_axes: axis 1 of output 1 is out of range: with the batch axis f32[] has rank 1",
        ),
        (
            &[Some(0), None],
            &[None, None],
            "vmap: out_axes: output 0 differs from lane to lane, so its axis cannot be None",
        ),
    ];
    for (in_axes, out_axes, message) in rows {
        assert_eq!(vmap(&program, &axis, in_axes, out_axes).unwrap_err().to_string(), message);
    }
}

/// A loop's body is visited until its carry settles; visits must not multiply with the depth of nesting.
#[test]
fn nested_loops_are_batched_without_visiting_them_again_and_again() {
    let scalar = Aval::scalar(DType::F64);
    let signature = vec![scalar; 3];
    // The second carried value becomes batched only after one step, the third after two.
    let mut body = samples::program(&signature, |b, v| vec![v[0], b.add(v[1], v[0]), b.add(v[2], v[1])]);
    for _ in 0..60 {
        let scan = Scan { body: body.into(), length: 1, reverse: false, num_consts: 0, num_carry: 3 };
        body = samples::program(&signature, |b, v| b.emit(Op::Scan(scan), v));
    }
    let (_, axes) = batch(&body, &BatchAxis::new(2), &[Some(0), None, None]).unwrap();
    assert_eq!(axes, [Some(0); 3]);
}
