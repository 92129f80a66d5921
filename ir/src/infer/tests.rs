//! Result types and error messages, as tables.

use crate::infer::infer;
use crate::*;

fn aval(text: &str) -> Aval {
    let (dtype, shape) = text.trim_end_matches(']').split_once('[').expect("dtype[shape]");
    let extents = shape.split(',').filter(|s| !s.is_empty()).map(|s| s.parse().expect("an extent"));
    Aval::new(DType::parse(dtype).expect("a dtype"), extents.collect::<Shape>())
}

/// What `infer` says for operands written `f32[2,3] i32[]`: the result types in the same form, or the error.
fn say(op: &Op, inputs: &str) -> String {
    let inputs: Vec<Aval> = inputs.split_whitespace().map(aval).collect();
    match infer(op, &inputs) {
        Ok(outputs) => outputs.iter().map(Aval::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

fn dot(contracting: (&[usize], &[usize]), batch: (&[usize], &[usize])) -> Op {
    Op::DotGeneral(DotGeneral {
        lhs_contracting: contracting.0.to_vec(),
        rhs_contracting: contracting.1.to_vec(),
        lhs_batch: batch.0.to_vec(),
        rhs_batch: batch.1.to_vec(),
        precision: Precision::Default,
        preferred: DType::F32,
    })
}

fn pad(low: i64, high: i64, interior: usize) -> Op {
    Op::Pad { padding: vec![PadDim { low, high, interior }] }
}

#[test]
fn result_types_and_errors() {
    let reduce = |axes: &[usize]| Op::Reduce { reducer: Reducer::Sum, axes: axes.to_vec() };
    let broadcast = |shape: &[usize], dims: &[usize]| Op::BroadcastInDim { shape: shape.into(), dims: dims.to_vec() };
    let rows: Vec<(Op, &str, &str)> = vec![
        (Op::Unary(Unary::Sin), "f32[3]", "f32[3]"),
        (Op::Unary(Unary::Abs), "c64[2]", "f32[2]"),
        (Op::Unary(Unary::IsFinite), "f64[]", "bool[]"),
        (Op::Unary(Unary::Sin), "i32[3]", "sin: expected one of f16, bf16, f32, f64, c64, c128, found i32[3]"),
        (Op::Unary(Unary::Sin), "", "sin: expected 1 operand, found 0"),
        (Op::Binary(Binary::Add), "f32[3] f32[3]", "f32[3]"),
        (Op::Binary(Binary::Add), "f32[3] f32[4]", "add: operands have different shapes: f32[3] and f32[4]"),
        (Op::Binary(Binary::Add), "f32[3] f32[]", "add: operands have different shapes: f32[3] and f32[]"),
        (Op::Binary(Binary::Add), "f32[3] i32[3]", "add: operands have different dtypes: f32[3] and i32[3]"),
        (Op::Binary(Binary::Complex), "f64[2] f64[2]", "c128[2]"),
        (Op::Binary(Binary::Complex), "f16[2] f16[2]", "complex: expected one of f32, f64, found f16[2]"),
        (
            Op::Compare(Compare::Lt),
            "c64[] c64[]",
            "lt: expected one of bool, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, found c64[]",
        ),
        (Op::Select, "bool[] f32[2] f32[2]", "f32[2]"),
        (Op::Select, "bool[2] f32[2] f32[2] f32[2]", "select_n: a bool selector chooses between 2 cases, found 3"),
        (Op::Clamp, "f32[] f32[2] f32[2]", "f32[2]"),
        (
            Op::Clamp,
            "f32[1] f32[2] f32[]",
            "clamp: min must be a scalar or have the shape of the operand f32[2], found f32[1]",
        ),
        (Op::Bitcast { dtype: DType::U8 }, "f32[3]", "u8[3,4]"),
        (Op::Bitcast { dtype: DType::F32 }, "u8[3,4]", "f32[3]"),
        (
            Op::Bitcast { dtype: DType::F32 },
            "u8[]",
            "bitcast_convert_type: the last axis must have extent 4 for u8 to become f32, found u8[]",
        ),
        (
            Op::IntegerPow { exponent: -1 },
            "i32[]",
            "integer_pow: a negative exponent needs a floating-point or complex operand, found i32[] to the power -1",
        ),
        (broadcast(&[4, 3], &[1]), "f32[3]", "f32[4,3]"),
        (
            broadcast(&[4, 3], &[0]),
            "f32[3]",
            "broadcast_in_dim: axis 0 of f32[3] must have extent 1 or 4 to become axis 0 of [4,3], found 3",
        ),
        (broadcast(&[4, 3], &[2]), "f32[3]", "broadcast_in_dim: result axis 2 is out of range for [4,3] of rank 2"),
        (
            broadcast(&[usize::MAX, 3], &[]),
            "f32[]",
            "broadcast_in_dim: an array of type f32[18446744073709551615,3] is too large to be addressed",
        ),
        (Op::Reshape { shape: [2, 3].into() }, "f32[6]", "f32[2,3]"),
        (Op::Reshape { shape: [2, 3].into() }, "f32[7]", "reshape: f32[7] has 7 elements, but the shape [2,3] needs 6"),
        (Op::Transpose { permutation: vec![1, 0] }, "f32[2,3]", "f32[3,2]"),
        (Op::Transpose { permutation: vec![1, 1] }, "f32[2,3]", "transpose: permutation axis 1 is repeated in [1, 1]"),
        (pad(1, 2, 1), "f32[3] f32[]", "f32[8]"),
        (pad(-2, -2, 0), "f32[3] f32[]", "f32[0]"),
        (
            pad(i64::MAX, i64::MAX, usize::MAX),
            "f32[3] f32[]",
            "pad: a result extent of 55340232221128654847 is too large to be addressed",
        ),
        (Op::Concatenate { axis: 0 }, "f32[2,3] f32[4,3]", "f32[6,3]"),
        (
            Op::Concatenate { axis: 0 },
            "f32[2,3] f32[4,2]",
            "concatenate: operands may differ in extent only along axis 0, found f32[2,3] and f32[4,2]",
        ),
        (Op::Concatenate { axis: 0 }, "", "concatenate: expected at least 1 operand, found 0"),
        (Op::DynamicSlice { sizes: [2].into() }, "f32[3] i32[]", "f32[2]"),
        (
            Op::DynamicSlice { sizes: [4].into() },
            "f32[3] i32[]",
            "dynamic_slice: a window of shape [4] does not fit into f32[3] along axis 0",
        ),
        (reduce(&[0, 2]), "f32[2,3,4]", "f32[3]"),
        (reduce(&[2]), "f32[2,3]", "reduce_sum: axis 2 is out of range for f32[2,3] of rank 2"),
        (dot((&[1], &[0]), (&[], &[])), "f32[2,3] f32[3,5]", "f32[2,5]"),
        (dot((&[2], &[1]), (&[0], &[0])), "f32[7,2,3] f32[7,3,5]", "f32[7,2,5]"),
        (
            dot((&[1], &[0]), (&[], &[])),
            "f32[2,3] f32[4,5]",
            "dot_general: contracting dimensions differ: lhs axis 1 has size 3, rhs axis 0 has size 4",
        ),
        (dot((&[1], &[0]), (&[1], &[0])), "f32[2,3] f32[3,5]", "dot_general: lhs axis 1 is repeated in [1, 1]"),
        (Op::TopK { k: 2 }, "f32[3,4]", "f32[3,2] i32[3,2]"),
        (
            Op::TopK { k: 5 },
            "f32[3,4]",
            "top_k: k must be at most the extent of the last axis, found k = 5 and f32[3,4]",
        ),
        (Op::DebugPrint(DebugPrint { format: "{{{}}}".into() }), "f32[3,4]", ""),
        (
            Op::DebugPrint(DebugPrint { format: "{} {}".into() }),
            "f32[]",
            "debug_print: the format has 2 places for 1 operand: \"{} {}\"",
        ),
        (
            Op::DebugPrint(DebugPrint { format: "x {".into() }),
            "",
            "debug_print: the format may hold {}, {{ and }}, but no other brace, found \"x {\"",
        ),
    ];
    for (op, inputs, expected) in rows {
        assert_eq!(say(&op, inputs), expected, "{op:?} of {inputs}");
    }
}
