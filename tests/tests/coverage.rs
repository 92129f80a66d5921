//! The table of samples leaves nothing out: each op, in each dtype that it accepts, has a sample.

use std::collections::BTreeSet;

use rjax_ir::{Binary, Compare, DType, IndexMode, Op, Reducer, Unary};
use rjax_tests::samples;

/// Each form of op has a number. A new variant does not compile until it has the next one, and then needs a sample.
fn form(op: &Op) -> usize {
    match op {
        Op::Unary(_) => 0,
        Op::Binary(_) => 1,
        Op::Compare(_) => 2,
        Op::Select => 3,
        Op::Clamp => 4,
        Op::RegularizedIncompleteBeta => 5,
        Op::Convert { .. } => 6,
        Op::Bitcast { .. } => 7,
        Op::ReducePrecision { .. } => 8,
        Op::IntegerPow { .. } => 9,
        Op::StopGradient => 10,
        Op::Name { .. } => 11,
        Op::OptimizationBarrier => 12,
        Op::BroadcastInDim { .. } => 13,
        Op::Reshape { .. } => 14,
        Op::Transpose { .. } => 15,
        Op::Slice(_) => 16,
        Op::Pad { .. } => 17,
        Op::Concatenate { .. } => 18,
        Op::Reverse { .. } => 19,
        Op::Iota { .. } => 20,
        Op::DynamicSlice { .. } => 21,
        Op::DynamicUpdateSlice => 22,
        Op::Gather(_) => 23,
        Op::Scatter(_) => 24,
        Op::Reduce { .. } => 25,
        Op::GeneralReduce { .. } => 26,
        Op::ArgReduce(_) => 27,
        Op::Cumulative(_) => 28,
        Op::DotGeneral(_) => 29,
        Op::Conv(_) => 30,
        Op::ReduceWindow { .. } => 31,
        Op::GeneralReduceWindow { .. } => 32,
        Op::SelectAndScatterAdd(_) => 33,
        Op::SelectAndGatherAdd(_) => 34,
        Op::Sort(_) => 35,
        Op::TopK { .. } => 36,
        Op::Threefry2x32 => 37,
        Op::Cond { .. } => 38,
        Op::While(_) => 39,
        Op::Scan(_) => 40,
        Op::Call { .. } => 41,
        Op::CustomJvp(_) => 42,
        Op::CustomVjp(_) => 43,
        Op::CustomLinear(_) => 44,
        Op::Remat(_) => 45,
        Op::DebugPrint(_) => 46,
        Op::Collective(_) => 47,
        Op::Linalg(_) => 48,
        Op::Fft(_) => 49,
        Op::LinearSolve(_) => 50,
        Op::Root(_) => 51,
    }
}
const FORMS: usize = 52;

/// `custom_lin` stands for tangents between two transformations and cannot be evaluated.
const WITHOUT_SAMPLE: [usize; 1] = [44];

fn ops() -> Vec<Op> {
    samples::all().into_iter().flat_map(|s| s.program.eqns.into_iter().map(|eqn| eqn.op)).collect()
}

#[test]
fn every_form_of_op_has_a_sample() {
    let found: BTreeSet<usize> = ops().iter().map(form).collect();
    let missing: Vec<usize> = (0..FORMS).filter(|n| !found.contains(n) && !WITHOUT_SAMPLE.contains(n)).collect();
    assert!(missing.is_empty(), "forms without a sample: {missing:?}");
    assert!(found.iter().all(|&n| n < FORMS), "FORMS is behind: {found:?}");
}

#[test]
fn every_row_has_a_sample_in_every_dtype() {
    let mut found: BTreeSet<(String, DType)> = BTreeSet::new();
    for sample in samples::all() {
        for eqn in &sample.program.eqns {
            for &input in &eqn.inputs {
                found.insert((eqn.op.name().to_string(), sample.program.aval(input).dtype));
            }
        }
    }
    let mut wanted: Vec<(&str, Vec<DType>)> = vec![];
    wanted.extend(Unary::ALL.iter().map(|op| (op.name(), op.accepts().iter().collect())));
    wanted.extend(Binary::ALL.iter().map(|op| (op.name(), op.accepts().iter().collect())));
    wanted.extend(Compare::ALL.iter().map(|op| (op.name(), op.accepts().iter().collect())));
    for &reducer in Reducer::ALL {
        let dtypes: Vec<DType> = reducer.accepts().iter().collect();
        wanted.push((Op::Reduce { reducer, axes: vec![] }.name(), dtypes));
    }
    for op in ["select_n", "convert_element_type", "transpose", "pad", "gather", "sort", "reduce", "reduce_window"] {
        wanted.push((op, DType::ALL.to_vec()));
    }
    let missing: Vec<String> = (wanted.iter())
        .flat_map(|(op, dtypes)| dtypes.iter().map(move |dtype| (op.to_string(), *dtype)))
        .filter(|row| !found.contains(row))
        .map(|(op, dtype)| format!("{op} {dtype}"))
        .collect();
    assert!(missing.is_empty(), "without a sample: {}", missing.join(", "));
}

#[test]
fn every_kind_of_parameter_has_a_sample() {
    let ops = ops();
    let names: BTreeSet<&str> = ops.iter().map(Op::name).collect();
    for name in ["argmax", "argmin", "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "scatter", "scatter-add"]
    {
        assert!(names.contains(name), "no sample of {name}");
    }
    for name in ["scatter-mul", "scatter-min", "scatter-max", "psum", "pmax", "pmin", "axis_index"] {
        assert!(names.contains(name), "no sample of {name}");
    }
    for mode in [IndexMode::Clip, IndexMode::FillOrDrop, IndexMode::PromiseInBounds] {
        assert!(
            ops.iter().any(|op| matches!(op, Op::Gather(gather) if gather.mode == mode)),
            "no gather with {mode:?}"
        );
        assert!(ops.iter().any(|op| matches!(op, Op::Scatter(s) if s.mode == mode)), "no scatter with {mode:?}");
    }
    for &reducer in Reducer::ALL {
        let windows = |op: &Op| matches!(op, Op::ReduceWindow { reducer: r, .. } if *r == reducer);
        assert!(ops.iter().any(windows), "no reduce_window with {}", reducer.name());
    }
}
